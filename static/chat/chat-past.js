/**
 * Earlier messages: pages of history, as long as there are more, and the visitor may read them.
 *
 * @import { Chat, Message } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { find } from "./dom.js";

/** Messages in a page of history. */
const PAGE = 50;
/** Numbers up to which one goes back page by page. */
const CLOSE = 300;

/**
 * The log, which shows pages.
 *
 * @typedef {object} Log
 * @property {() => number | undefined} first the number of the first message that is shown
 * @property {(messages: Message[], more: boolean) => void} prepend
 * @property {() => boolean} isAtTop whether the visitor sees what comes first
 */

export class Past {
  /** @type {number | undefined} the oldest number that was read */
  from;
  #t;
  #chat;
  #log;
  #scroller;
  #earlier;
  #top;
  #more = true;
  /** @type {Promise<void> | undefined} of a page that is being read */
  #loading;
  /** Counts how often the log was emptied. */
  #dropped = 0;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {Chat} chat
   * @param {Log} log
   */
  constructor(t, frame, chat, log) {
    this.#t = t;
    this.#chat = chat;
    this.#log = log;
    this.#scroller = find(frame, ".scroller");
    this.#earlier = find(frame, ".earlier");
    this.#top = find(frame, ".top span");
    this.#earlier.addEventListener("click", () => this.load());
    chat.addEventListener("rights", () => {
      this.offer(this.#more);
      if (this.#log.isAtTop()) this.load();
    });
  }

  get #isOpen() {
    return this.#chat.can.has("history");
  }

  /** Read the next page. */
  load() {
    if (!this.#more || !this.#isOpen || !this.#chat.place) return undefined;
    return (this.#loading ??= this.#read(this.#chat.place.epoch));
  }

  /** @param {string} epoch */
  async #read(epoch) {
    this.#earlier.textContent = this.#t("room.loading");
    const dropped = this.#dropped;
    const before = this.from ?? (this.#chat.place?.seq ?? 0) + 1;
    let read = false;
    try {
      const page = await this.#chat.history({ before, limit: PAGE });
      // Or else what it belongs to is gone, or is about to.
      if (page.epoch === epoch && epoch === this.#chat.place?.epoch && dropped === this.#dropped) {
        const first = this.#log.first() ?? Infinity;
        // All messages of the page may have been taken back.
        this.from = page.next?.before ?? page.messages.at(0)?.seq ?? before;
        read = this.from < before;
        this.#log.prepend(page.messages.filter((each) => each.seq < first), page.more);
      }
      this.#earlier.textContent = this.#t("room.earlier");
    } catch {
      this.#earlier.textContent = this.#t("room.unloaded");
    } finally {
      this.#loading = undefined;
    }
    // The page may not fill the screen.
    if (dropped !== this.#dropped || (this.#log.isAtTop() && read)) this.load();
  }

  /**
   * True if paging leads to a message.
   *
   * @param {number} seq
   */
  isClose(seq) {
    return this.#more && this.from !== undefined && this.from > seq && this.from - seq < CLOSE;
  }

  /** Begin at the end again: the log was emptied. */
  drop() {
    this.#dropped++;
    this.from = undefined;
  }

  /** @param {boolean} more whether there is something earlier */
  offer(more) {
    this.#more = more;
    const offered = more && this.#isOpen;
    if (!offered && this.#earlier.matches(":focus")) this.#scroller.focus();
    this.#earlier.hidden = !offered;
    this.#top.hidden = offered;
    this.#top.textContent = this.#t(this.#isOpen ? "room.begins" : "room.now");
  }
}
