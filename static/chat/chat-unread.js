/**
 * Unseen messages: their number since the visitor last looked, and a line where they begin, also since the
 * last visit.
 *
 * @import { Memory } from "./chat-memory.js"
 * @import { Chat, Message } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { marker, settle } from "./chat-line.js";

export class Unread {
  /** Is told of each message of somebody else, and whether it is seen. */
  onNews = (/** @type {Message} */ _message, /** @type {boolean} */ _seen) => {};
  /** The number of unseen messages. */
  count = 0;
  /** @type {Set<number>} numbers of those that call the visitor */
  calls = new Set();
  #t;
  #said;
  #chat;
  #kept;
  /** The number up to which one has seen everything. */
  #upTo = 0;
  /** The place that was seen on the last visit. */
  #before;

  /**
   * @param {Texts} t
   * @param {HTMLElement} said the list of lines
   * @param {Chat} chat
   * @param {Memory} memory
   */
  constructor(t, said, chat, memory) {
    this.#t = t;
    this.#said = said;
    this.#chat = chat;
    this.#kept = memory;
    this.#before = memory.read("seen");
  }

  /**
   * @param {Message} message
   * @param {boolean} seen
   * @param {boolean} shown whether its line is about to be
   */
  add(message, seen, shown) {
    this.onNews(message, seen);
    if (seen) return;
    if (!this.count && shown) this.#mark();
    this.count++;
  }

  /** @param {number} seq of a message that calls the visitor, who may have seen it meanwhile */
  call(seq) {
    if (seq > this.#upTo) this.calls.add(seq);
  }

  /** @param {HTMLElement} line of what was taken back */
  takeBack(line) {
    const counted = Number(line.dataset.seq) > this.#upTo && !line.matches(".mine");
    if (counted && this.count) this.count--;
    this.calls.delete(Number(line.dataset.seq));
  }

  /** Everything that has come was seen. */
  see() {
    this.count = 0;
    this.calls.clear();
    const { epoch = "", seq = 0 } = this.#chat.place ?? {};
    this.#upTo = seq;
    if (seq) this.#kept.write("seen", `${epoch}:${seq}`);
  }

  /** The numbers are others'. */
  forget() {
    this.#upTo = 0;
  }

  /** @param {Element | null} [before] */
  #mark(before = null) {
    this.#said.querySelector(".unread")?.remove();
    this.#said.insertBefore(marker("unread", this.#t("room.unread")), before);
  }

  /**
   * Mark what was said since one was here last, once that has come.
   *
   * @param {boolean} more whether there is something before it
   * @param {boolean} seen whether somebody looks at it; else it is counted
   */
  markSinceLastTime(more, seen) {
    const [epoch, text] = this.#before.split(":");
    const last = Number(text);
    const place = this.#chat.place;
    if (!text || epoch !== place?.epoch || this.#said.querySelector(".unread")) return;
    const lines = /** @type {HTMLElement[]} */ ([...this.#said.querySelectorAll(".message")]);
    if (!lines.length || (more && Number(lines[0].dataset.seq) > last + 1)) return;
    this.#before = "";
    const news = lines.filter((each) => Number(each.dataset.seq) > last && !each.matches(".mine"));
    if (!seen) this.count += news.length;
    if (!news.length) return;
    this.#mark(news[0]);
    // Below the mark one has to see who speaks.
    settle(this.#t, news[0]);
  }
}
