/**
 * Acts of moderators about messages and people.
 *
 * @import { Acts, Person } from "./chat-acts.js"
 * @import { Dialog } from "./chat-dialog.js"
 * @import { Chat } from "./livechat.js"
 * @import { Key, Texts } from "./texts.js"
 */

import { LONGEST_REASON } from "./chat-acts.js";
import { checkField, choiceField, textField } from "./chat-dialog.js";
import { element } from "./dom.js";

const MUTE = 600;
const HOUR = 3_600;
const BANS = /** @type {[string, Key][]} */ ([
  [String(HOUR), "ban.hour"],
  [String(24 * HOUR), "ban.day"],
  [String(7 * 24 * HOUR), "ban.week"],
  ["", "ban.ever"],
  ["10", "ban.kick"],
]);

export class Measures {
  #t;
  #chat;
  #dialog;
  #acts;

  /**
   * @param {Texts} t
   * @param {Chat} chat
   * @param {Dialog} dialog
   * @param {Acts} acts
   */
  constructor(t, chat, dialog, acts) {
    this.#t = t;
    this.#chat = chat;
    this.#dialog = dialog;
    this.#acts = acts;
  }

  /**
   * Remove a message.
   *
   * @param {number} seq
   */
  remove(seq) {
    return this.#acts.settle(this.#chat.retract(seq), this.#t("act.removed"));
  }

  /** @param {Person} person */
  mute({ name, ...whom }) {
    return this.#acts.act(
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
    return this.#acts.act(
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
    return this.#acts.act({ type: "retract", ...whom }, ({ count }) =>
      count === undefined
        ? this.#t.nodes("act.removed-all", { name: made })
        : this.#t.nodes("act.removed-count", { name: made, count }),
    );
  }
}
