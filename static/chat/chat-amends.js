/**
 * Edits, answers and retractions: how one makes them, and how they change lines.
 *
 * @import { Aims } from "./chat-aims.js"
 * @import { Folds } from "./chat-folds.js"
 * @import { Choice } from "./chat-menu.js"
 * @import { Names } from "./chat-names.js"
 * @import { Quotes } from "./chat-quotes.js"
 * @import { Unread } from "./chat-unread.js"
 * @import { Unsent } from "./chat-unsent.js"
 * @import { Chat, Edited, Retracted } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { rewrite, takeBack } from "./chat-amended.js";
import { dataOf, textOf } from "./chat-line.js";
import { find } from "./dom.js";

export class Amends {
  #t;
  #chat;
  #aims;
  #folds;
  #names;
  #quotes;
  #unread;
  #unsent;
  #shown;
  #scroller;
  #status;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {Chat} chat
   * @param {Aims} aims
   * @param {{ folds: Folds, names: Names, quotes: Quotes, unread: Unread, unsent: Unsent }} parts of the log
   * @param {(seq: number) => HTMLElement | null} shown a line that is shown
   */
  constructor(t, frame, chat, aims, { folds, names, quotes, unread, unsent }, shown) {
    this.#t = t;
    this.#chat = chat;
    this.#aims = aims;
    this.#folds = folds;
    this.#names = names;
    this.#quotes = quotes;
    this.#unread = unread;
    this.#unsent = unsent;
    this.#shown = shown;
    this.#scroller = find(frame, ".scroller");
    this.#status = find(frame, "[role=status]");
  }

  /**
   * The actions that a message offers.
   *
   * @param {HTMLElement} line
   * @returns {Choice[]}
   */
  choices(line) {
    if (!this.#chat.can.has("send")) return [];
    const { seq: text, time } = line.dataset;
    const seq = Number(text);
    /** @type {Choice[]} */
    const choices = [[this.#t("menu.reply"), () => this.#aims.reply(seq, this.#quotes.make(seq))]];
    if (!line.matches(".mine")) return choices;
    if (this.#chat.editable({ user: this.#chat.user ?? undefined, time: Number(time) })) {
      choices.push([this.#t("menu.edit"), () => this.#aims.edit(seq, textOf(line), dataOf(line))]);
    }
    choices.push([this.#t("menu.take-back"), () => this.#retract(seq)]);
    return choices;
  }

  /** @param {number} seq */
  #retract(seq) {
    this.#chat.retract(seq).catch((error) => this.#unsent.failToRetract([seq], error));
  }

  /** @param {Edited | Retracted} change that was heard of */
  apply(change) {
    if ("refs" in change) this.#takeBack(change);
    else this.#rewrite(change);
  }

  /** @param {Edited} edited */
  #rewrite(edited) {
    this.#quotes.edit(edited);
    const line = this.#shown(edited.ref);
    if (!line || line.matches(".gone")) return;
    const isNews = textOf(line) !== edited.text;
    rewrite(this.#t, line, edited, this.#names);
    this.#folds.watch(line);
    if (isNews) this.#status.textContent = this.#told("edited", line);
  }

  /** @param {Retracted} retracted */
  #takeBack(retracted) {
    this.#quotes.retract(retracted);
    this.#unsent.retract(retracted);
    this.#aims.retract(retracted);
    for (const ref of retracted.refs) {
      const line = this.#shown(ref);
      if (!line || line.matches(".gone")) continue;
      this.#unread.takeBack(line);
      if (line.querySelector(":focus")) this.#scroller.focus();
      takeBack(this.#t, line, retracted.by);
      const removed = retracted.by === "moderator";
      this.#status.textContent = removed ? this.#t("told.removed") : this.#told("taken-back", line);
    }
  }

  /**
   * @param {"edited" | "taken-back"} done
   * @param {HTMLElement} line
   */
  #told(done, line) {
    if (line.matches(".mine")) return this.#t(`told.${done}-own`);
    return this.#t(`told.${done}`, { name: find(line, "b").textContent ?? "" });
  }
}
