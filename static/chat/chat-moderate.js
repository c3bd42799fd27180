/**
 * Choices for a message of somebody else: to report it, to ignore its author; and for those
 * that moderate to remove it, to pin it, and to mute or ban its author.
 *
 * @import { Ignored } from "./chat-ignored.js"
 * @import { Dialog } from "./chat-dialog.js"
 * @import { Choice } from "./chat-menu.js"
 * @import { Act, Chat, ChatError, Done } from "./livechat.js"
 */

import { checkField, choiceField, textField } from "./chat-dialog.js";
import { element, find } from "./dom.js";

/** Characters of a reason. */
export const LONGEST_REASON = 200;
const MUTE = 600;
const HOUR = 3_600;
const BANS = /** @type {[string, string][]} */ ([
  [String(HOUR), "for 1 hour"],
  [String(24 * HOUR), "for 1 day"],
  [String(7 * 24 * HOUR), "for 1 week"],
  ["", "for good"],
  ["10", "for 10 seconds (a kick)"],
]);

/**
 * Somebody who is meant.
 *
 * @typedef {{ user: string, guest: boolean, name: string }} Person
 */

/**
 * The author of a line; nobody, where that is not known.
 *
 * @param {HTMLElement} line
 * @returns {Person | undefined}
 */
export function authorOf(line) {
  const { user: subject = "" } = line.dataset;
  if (!subject) return undefined;
  return { user: subject.slice(2), guest: subject.startsWith("g:"), name: find(line, "b bdi").textContent ?? "" };
}

export class Moderation {
  #chat;
  #dialog;
  #ignored;
  #tell;
  #showSaid;

  /**
   * @param {Chat} chat
   * @param {Dialog} dialog
   * @param {Ignored} ignored
   * @param {Teller} tell
   * @param {(person: Person) => void} showSaid what somebody said
   */
  constructor(chat, dialog, ignored, tell, showSaid) {
    this.#chat = chat;
    this.#dialog = dialog;
    this.#ignored = ignored;
    this.#tell = tell;
    this.#showSaid = showSaid;
  }

  /**
   * @param {HTMLElement} line
   * @returns {Choice[]}
   */
  choices(line) {
    const seq = Number(line.dataset.seq);
    const person = line.matches(".mine") ? undefined : authorOf(line);
    /** @type {Choice[]} */
    const choices = [];
    if (!line.matches(".mine")) choices.push(["Report…", () => this.#report(seq)]);
    if (person) choices.push(["Ignore this person", () => this.#ignore(person)]);
    if (!this.#chat.can.has("moderate")) return choices;
    choices.push(this.#pinning(seq));
    if (person) choices.push(["What they said", () => this.#showSaid(person)]);
    if (!line.matches(".mine")) choices.push(["Remove", () => this.remove(seq), "bad"]);
    if (person) {
      choices.push(["Mute for 10 minutes", () => this.mute(person), "bad"]);
      choices.push(["Ban…", () => this.ban(person), "bad"]);
    }
    return choices;
  }

  /**
   * @param {number} seq
   * @returns {Choice}
   */
  #pinning(seq) {
    const pinned = this.#chat.settings.pinned === seq;
    const set = { pinned: pinned ? null : seq };
    return [pinned ? "Unpin" : "Pin", () => this.act({ type: "room", set }, pinned ? "Unpinned." : "Pinned.")];
  }

  /**
   * Do something, and say what became of it.
   *
   * @param {Act} action
   * @param {string | ((done: Done) => (string | Node)[])} done
   * @param {[text: string, action: Act]} [undo]
   * @returns {Promise<boolean>} whether it was done
   */
  act(action, done, undo) {
    return this.#settle(this.#chat.act(action), done, undo);
  }

  /**
   * @param {Promise<Done>} acting
   * @param {string | ((done: Done) => (string | Node)[])} done
   * @param {[text: string, action: Act]} [undo]
   */
  async #settle(acting, done, undo) {
    try {
      const answer = await acting;
      const button = undo && /** @type {const} */ ([undo[0], () => void this.act(undo[1], "Undone.")]);
      this.#tell(typeof done === "string" ? [done] : done(answer), button);
      return true;
    } catch (error) {
      const { message } = /** @type {ChatError} */ (error);
      this.#tell(["Not done. ", element("bdi", "", message)]);
      return false;
    }
  }

  /** @param {number} seq */
  async #report(seq) {
    const about = element("p", "hint", "Those who moderate this room will see the message, and that you reported it.");
    const reason = textField("reason", "What is wrong with it?", LONGEST_REASON);
    const given = await this.#dialog.ask(["Report a message"], "Report", about, reason);
    if (!given) return;
    const action = /** @type {const} */ ({ type: "report", ref: seq, reason: String(given.get("reason")) });
    this.act(action, "Reported. Thank you.");
  }

  /** @param {Person} person */
  #ignore({ user, guest, name }) {
    const subject = `${guest ? "g" : "u"}:${user}`;
    this.#ignored.add(subject, name);
    this.#tell(
      ["You ignore ", element("bdi", "", name), " on this device."],
      ["Undo", () => this.#ignored.remove(subject)],
    );
  }

  /** @param {number} seq */
  remove(seq) {
    return this.#settle(this.#chat.retract(seq), "Removed.");
  }

  /** @param {Person} person */
  mute({ name, ...whom }) {
    return this.act(
      { type: "restrict", kind: "mute", seconds: MUTE, ...whom },
      () => [element("bdi", "", name), " is muted for 10 minutes."],
      ["Undo", { type: "pardon", ...whom }],
    );
  }

  /** @param {Person} person */
  async ban({ name, ...whom }) {
    const given = await this.#dialog.ask(
      ["Ban ", element("bdi", "", name)],
      "Ban",
      choiceField("seconds", "How long", BANS),
      textField("reason", "Reason, which they are told", LONGEST_REASON),
      checkField("retract", "Remove what they said in the last hour"),
      checkField("address", "Everybody at their address too, for a day at most"),
    );
    if (!given) return false;
    const seconds = Number(given.get("seconds"));
    return this.act(
      {
        type: "restrict", kind: "ban", ...whom, reason: String(given.get("reason")),
        ...(seconds && { seconds }),
        ...(given.has("retract") && { retract: HOUR }),
        ...(given.has("address") && { address: true }),
      },
      ({ address }) => [
        element("bdi", "", name), " is banned.", ...(address === false ? [" Their address is not known."] : []),
      ],
      ["Undo", { type: "pardon", ...whom }],
    );
  }

  /**
   * Remove all that somebody said.
   *
   * @param {Person} person
   */
  removeAll({ name, ...whom }) {
    return this.act({ type: "retract", ...whom }, ({ count }) => [
      `Removed ${count === undefined ? "what" : `${count.toLocaleString("en")} messages that`} `,
      element("bdi", "", name), " said.",
    ]);
  }
}

/**
 * Says something for a while, perhaps with a button.
 *
 * @typedef {(text: (string | Node)[], button?: readonly [text: string, choose: () => void]) => void} Teller
 */

/** Milliseconds for which it is shown. */
const TOLD = 10_000;

/**
 * @param {HTMLElement} frame
 * @param {AbortSignal} over
 * @returns {Teller}
 */
export function teller(frame, over) {
  const place = find(frame, ".told");
  const scroller = find(frame, ".scroller");
  const status = find(frame, "[role=status]");
  let timer = 0;
  const hide = () => {
    // Not while somebody is about to press its button.
    if (place.matches(":hover, :focus-within")) timer = Number(setTimeout(hide, TOLD));
    else place.hidden = true;
  };
  over.addEventListener("abort", () => clearTimeout(timer));
  return (text, button) => {
    clearTimeout(timer);
    timer = Number(setTimeout(hide, TOLD));
    place.hidden = false;
    const shown = find(place, "span");
    shown.replaceChildren(...text);
    status.textContent = shown.textContent;
    place.querySelector("button")?.remove();
    if (!button) return;
    const made = element("button", "quiet", button[0]);
    made.type = "button";
    made.addEventListener("click", () => {
      place.hidden = true;
      scroller.focus();
      button[1]();
    });
    place.append(made);
  };
}
