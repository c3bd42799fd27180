/**
 * Choices for a message of somebody else: to report it, to ignore its author; and for those
 * that moderate to remove it, to pin it, and to mute or ban its author.
 *
 * Acts of moderators are chat-moderate.js's, which nobody else loads.
 *
 * @import { Acts, Person } from "./chat-acts.js"
 * @import { Dialog } from "./chat-dialog.js"
 * @import { Choice } from "./chat-menu.js"
 * @import { Moderation } from "./chat-moderation.js"
 * @import { Room } from "./chat-rest.js"
 * @import { Teller } from "./chat-teller.js"
 */

import { LONGEST_REASON } from "./chat-acts.js";
import { textField } from "./chat-dialog.js";
import { LONGEST_NAME } from "./chat-shapes.js";
import { element, find } from "./dom.js";

/**
 * The author of a line; nobody, where that is not known.
 *
 * @param {HTMLElement} line
 * @returns {Person | undefined}
 */
function authorOf(line) {
  const { user: subject = "" } = line.dataset;
  if (!subject) return undefined;
  return { user: subject.slice(2), guest: subject.startsWith("g:"), name: find(line, "b bdi").textContent ?? "" };
}

export class Choices {
  #t;
  #chat;
  #ignored;
  #dialog;
  #tell;
  #acts;
  #moderate;

  /**
   * @param {Room} room
   * @param {Dialog} dialog
   * @param {Teller} tell
   * @param {Acts} acts
   * @param {(ask: (moderation: Moderation) => void) => void} moderate
   */
  constructor({ t, chat, heard, ignored }, dialog, tell, acts, moderate) {
    this.#t = t;
    this.#chat = chat;
    this.#ignored = ignored;
    this.#dialog = dialog;
    this.#tell = tell;
    this.#acts = acts;
    this.#moderate = moderate;
    heard.addEventListener("case", ({ detail: { kind, state, reason } }) => {
      if (chat.can.has("moderate") || kind !== "report" || state === "open") return;
      const text = t("report.closed");
      const why = reason && element("bdi", "", reason);
      tell(why ? t.nodes("because", { text, reason: why }) : [t("sentence", { text })]);
    });
  }

  /**
   * @param {HTMLElement} line
   * @returns {Choice[]}
   */
  of(line) {
    const t = this.#t;
    const seq = Number(line.dataset.seq);
    const mine = line.matches(".mine");
    const person = mine ? undefined : authorOf(line);
    /** @type {Choice[]} */
    const choices = [];
    if (!mine) choices.push([t("menu.report"), () => this.#report(seq)]);
    if (person) choices.push([t("menu.ignore"), () => this.#ignore(person)]);
    if (!this.#chat.can.has("moderate")) return choices;
    choices.push(this.#pinning(seq));
    if (person) choices.push([t("menu.said"), () => this.#moderate(({ said }) => said.show(person))]);
    if (!mine) choices.push([t("menu.remove"), () => this.#moderate(({ measures }) => measures.remove(seq)), "bad"]);
    if (person) {
      choices.push([t("menu.mute"), () => this.#moderate(({ measures }) => measures.mute(person)), "bad"]);
      choices.push([t("menu.ban"), () => this.#moderate(({ measures }) => measures.ban(person)), "bad"]);
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
    return [this.#t(text), () => this.#acts.act({ type: "room", set }, this.#t(done))];
  }

  /** @param {number} seq */
  async #report(seq) {
    const t = this.#t;
    const about = element("p", "hint", t("report.about"));
    const reason = textField("reason", t("report.reason"), LONGEST_REASON);
    const given = await this.#dialog.ask([t("report.title")], t("report.send"), about, reason);
    if (!given) return;
    const action = /** @type {const} */ ({ type: "report", ref: seq, reason: String(given.get("reason")) });
    this.#acts.act(action, t("report.told"));
  }

  /** @param {Person} person */
  #ignore({ user, guest, name }) {
    const subject = `${guest ? "g" : "u"}:${user}`;
    this.#ignored.change((people) => people.set(subject, [...name].slice(0, LONGEST_NAME).join("")));
    this.#tell(
      this.#t.nodes("ignored.told", { name: element("bdi", "", name) }),
      [this.#t("act.undo"), () => this.#ignored.change((people) => people.delete(subject))],
    );
  }
}
