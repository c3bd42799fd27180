/**
 * The log beyond messages as they come: edits and retractions, answers, menus, what waits to be
 * sent, long texts, and the way to any message.
 *
 * @import { Aim } from "./chat-aims.js"
 * @import { Choice } from "./chat-menu.js"
 * @import { Room } from "./chat-rest.js"
 * @import { Failed } from "./chat-unsent.js"
 * @import { ChatError, Edited, Message, Retracted } from "./livechat.js"
 */

import { Aims } from "./chat-aims.js";
import { show, takeBack } from "./chat-amended.js";
import { Amends } from "./chat-amends.js";
import { Changes } from "./chat-changes.js";
import { Folds } from "./chat-folds.js";
import { Jump } from "./chat-jump.js";
import { line, textOf } from "./chat-line.js";
import { Menu } from "./chat-menu.js";
import { isSame } from "./chat-names.js";
import { Quotes } from "./chat-quotes.js";
import { words } from "./chat-text.js";
import { Unsent } from "./chat-unsent.js";
import { find } from "./dom.js";

export class Log {
  /** @type {(line: HTMLElement) => Choice[]} what else a message offers */
  more = () => [];
  aims;
  #room;
  #changes = new Changes();
  #folds;
  #quotes;
  #unsent;
  #amends;
  #menu;
  #jump;
  /** @type {(Edited | Retracted)[]} what has happened to messages, for the next frame */
  #changed = [];

  /** @param {Room} room */
  constructor(room) {
    const { t, frame, chat, heard, names, messages, over } = room;
    this.#room = room;
    const { past, scroll, unread } = messages;
    const shown = (/** @type {number} */ seq) => messages.shown(seq);
    /** @type {(message: Message) => HTMLElement} */
    const apart = (message) => line(t, message, isSame(message.user, chat.user), names, this.#words(message.message));
    const aims = (this.aims = new Aims(room, (message, aim) => this.#say(message, aim)));
    const folds = (this.#folds = new Folds(t, find(frame, ".scroller"), scroll, over));
    const quotes = (this.#quotes = new Quotes(t, frame, chat, this.#changes, messages, apart, over));
    const unsent = (this.#unsent = new Unsent(room, aims, this.#changes, quotes, folds));
    this.#jump = new Jump(t, frame, chat, past, quotes, messages);
    const amends = (this.#amends = new Amends(t, frame, chat, aims, { folds, names, quotes, unread, unsent }, shown));
    this.#menu = new Menu(t, frame, (of) => [...amends.choices(of), ...this.more(of)], over);
    heard.addEventListener("gap", ({ detail: { reason } }) => reason === "epoch" && this.#forget());
    heard.addEventListener("edited", ({ detail }) => {
      this.#changes.edit(detail);
      this.#change(detail);
    });
    heard.addEventListener("retracted", ({ detail }) => {
      this.#changes.retract(detail);
      this.#change(detail);
    });
    for (const type of /** @type {const} */ (["outbox", "slow"])) heard.addEventListener(type, () => messages.draw());
  }

  /** @param {string} text */
  #words(text) {
    return words(text, this.#room.names.who);
  }

  /**
   * Send an answer, or another text for a message.
   *
   * @param {string} message
   * @param {Aim} aim
   */
  #say(message, { kind, seq, data }) {
    const { chat, messages, people } = this.#room;
    people.hide();
    if (kind === "edit") {
      // Data that is left out would be removed.
      chat.edit(seq, message, { data }).catch((error) => this.fail({ message, ref: seq }, error));
    } else {
      chat.send(message, { replyTo: seq }).catch((error) => this.fail({ message, replyTo: seq }, error));
      messages.toEnd();
    }
  }

  /** See to the lines that are there, and to those that come. */
  begin() {
    const { messages, names } = this.#room;
    const { lines } = messages;
    lines.revise = (message) => this.#changes.apply(message);
    lines.words = (text) => this.#words(text);
    lines.onMade = (made) => this.#see(made);
    lines.onQuote = (quote) => this.#quotes.fill(quote);
    lines.onTold = (told) => this.#menu.offer(told);
    messages.onAdded = () => this.#unsent.show();
    messages.onDrawn = () => {
      const changed = this.#changed.splice(0);
      if (changed.length) messages.scroll.inPlace(() => changed.forEach((each) => this.#amends.apply(each)));
      this.#quotes.look();
      this.#menu.follow();
    };
    const { there, told } = messages.all;
    messages.scroll.inPlace(() => {
      for (const each of there) {
        show(each, textOf(each), names);
        this.#see(each);
      }
      this.#menu.offer(told);
      this.#quotes.fillAll();
    });
    messages.draw();
  }

  /** @param {HTMLElement} made a line of a message */
  #see(made) {
    const seq = Number(made.dataset.seq);
    if (this.#changes.isGone(seq)) takeBack(this.#room.t, made, this.#changes.gone(seq));
    this.#folds.watch(made);
  }

  /** @param {Edited | Retracted} change */
  #change(change) {
    this.#changed.push(change);
    this.#room.messages.draw();
  }

  /** The numbers are others'. */
  #forget() {
    this.#changes.forget();
    this.#quotes.forget();
    this.#changed = [];
  }

  /** @param {number} seq */
  jump(seq) {
    void this.#jump.to(seq);
  }

  /**
   * Show what could not be sent.
   *
   * @param {Omit<Failed, "problem">} what
   * @param {ChatError} error
   */
  fail(what, error) {
    this.#unsent.fail(what, error);
  }
}
