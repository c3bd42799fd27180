/**
 * Choices for a message of somebody else: to report it, to ignore its author; and for those
 * that moderate to remove it, to pin it, and to mute or ban its author.
 *
 * @import { Ignored } from "./chat-ignored.js"
 * @import { Dialog } from "./chat-dialog.js"
 * @import { Choice } from "./chat-menu.js"
 * @import { Act, Chat, ChatError, Done } from "./livechat.js"
 * @import { Key, Texts } from "./texts.js"
 */

import { checkField, choiceField, textField } from "./chat-dialog.js";
import { problemOf } from "./chat-problems.js";
import { element, find } from "./dom.js";

/** Characters of a reason. */
export const LONGEST_REASON = 200;
const MUTE = 600;
const HOUR = 3_600;
const BANS = /** @type {[string, Key][]} */ ([
  [String(HOUR), "ban.hour"],
  [String(24 * HOUR), "ban.day"],
  [String(7 * 24 * HOUR), "ban.week"],
  ["", "ban.ever"],
  ["10", "ban.kick"],
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
  #t;
  #chat;
  #dialog;
  #ignored;
  #tell;
  #showSaid;

  /**
   * @param {Texts} t
   * @param {Chat} chat
   * @param {Dialog} dialog
   * @param {Ignored} ignored
   * @param {Teller} tell
   * @param {(person: Person) => void} showSaid what somebody said
   */
  constructor(t, chat, dialog, ignored, tell, showSaid) {
    this.#t = t;
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
    const t = this.#t;
    const seq = Number(line.dataset.seq);
    const person = line.matches(".mine") ? undefined : authorOf(line);
    /** @type {Choice[]} */
    const choices = [];
    if (!line.matches(".mine")) choices.push([t("menu.report"), () => this.#report(seq)]);
    if (person) choices.push([t("menu.ignore"), () => this.#ignore(person)]);
    if (!this.#chat.can.has("moderate")) return choices;
    choices.push(this.#pinning(seq));
    if (person) choices.push([t("menu.said"), () => this.#showSaid(person)]);
    if (!line.matches(".mine")) choices.push([t("menu.remove"), () => this.remove(seq), "bad"]);
    if (person) {
      choices.push([t("menu.mute"), () => this.mute(person), "bad"]);
      choices.push([t("menu.ban"), () => this.ban(person), "bad"]);
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
    const [text, done] = pinned ? /** @type {const} */ (["menu.unpin", "act.unpinned"]) : /** @type {const} */ (["menu.pin", "act.pinned"]);
    return [this.#t(text), () => this.act({ type: "room", set }, this.#t(done))];
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
      const button = undo && /** @type {const} */ ([undo[0], () => void this.act(undo[1], this.#t("act.undone"))]);
      this.#tell(typeof done === "string" ? [done] : done(answer), button);
      return true;
    } catch (error) {
      const problem = element("bdi", "", problemOf(this.#t, /** @type {ChatError} */ (error)));
      this.#tell(this.#t.nodes("act.failed", { problem }));
      return false;
    }
  }

  /** @param {number} seq */
  async #report(seq) {
    const t = this.#t;
    const about = element("p", "hint", t("report.about"));
    const reason = textField("reason", t("report.reason"), LONGEST_REASON);
    const given = await this.#dialog.ask([t("report.title")], t("report.send"), about, reason);
    if (!given) return;
    const action = /** @type {const} */ ({ type: "report", ref: seq, reason: String(given.get("reason")) });
    this.act(action, t("report.told"));
  }

  /** @param {Person} person */
  #ignore({ user, guest, name }) {
    const subject = `${guest ? "g" : "u"}:${user}`;
    this.#ignored.add(subject, name);
    this.#tell(
      this.#t.nodes("ignored.told", { name: element("bdi", "", name) }),
      [this.#t("act.undo"), () => this.#ignored.remove(subject)],
    );
  }

  /** @param {number} seq */
  remove(seq) {
    return this.#settle(this.#chat.retract(seq), this.#t("act.removed"));
  }

  /** @param {Person} person */
  mute({ name, ...whom }) {
    return this.act(
      { type: "restrict", kind: "mute", seconds: MUTE, ...whom },
      () => this.#t.nodes("act.muted", { name: element("bdi", "", name) }),
      [this.#t("act.undo"), { type: "pardon", ...whom }],
    );
  }

  /** @param {Person} person */
  async ban({ name, ...whom }) {
    const t = this.#t;
    const given = await this.#dialog.ask(
      t.nodes("ban.title", { name: element("bdi", "", name) }),
      t("ban.ban"),
      choiceField("seconds", t("ban.how-long"), BANS.map(([value, text]) => [value, t(text)])),
      textField("reason", t("ban.reason"), LONGEST_REASON),
      checkField("retract", t("ban.retract")),
      checkField("address", t("ban.address")),
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
      ({ address }) => t.nodes(address === false ? "act.banned-only" : "act.banned", { name: element("bdi", "", name) }),
      [t("act.undo"), { type: "pardon", ...whom }],
    );
  }

  /**
   * Remove all that somebody said.
   *
   * @param {Person} person
   */
  removeAll({ name, ...whom }) {
    const made = element("bdi", "", name);
    return this.act({ type: "retract", ...whom }, ({ count }) =>
      count === undefined
        ? this.#t.nodes("act.removed-all", { name: made })
        : this.#t.nodes("act.removed-count", { name: made, count }),
    );
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
