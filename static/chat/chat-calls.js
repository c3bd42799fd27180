/**
 * Calls of the visitor: messages with `@` and the visitor's name, and answers to the visitor's messages.
 *
 * The page's title, and the badge of its app, count what was not seen; in a busy room only calls.
 *
 * @import { Unread } from "./chat-unread.js"
 * @import { Room } from "./chat-rest.js"
 * @import { Message } from "./livechat.js"
 */

import { Bell } from "./chat-bell.js";
import { calls, plain } from "./chat-text.js";

/** Messages, and milliseconds within which so many make a room busy. */
const BUSY = 10;
const WHILE = 60_000;
/** Characters of a message that a notification shows. */
const LONGEST = 200;

export class Calls {
  /** Leads to a message. */
  jump = (/** @type {number} */ _seq) => {};

  #t;
  #frame;
  #chat;
  #names;
  #bell;
  #unread;
  /** True where the title of the page is the chat's. */
  #whole;
  #title = document.title;
  #shown = 0;
  /** @type {number[]} when the last messages were said, of all but the visitor */
  #times = [];

  /** @param {Room} room */
  constructor({ t, frame, chat, names, messages, options, over }) {
    this.#t = t;
    this.#frame = frame;
    this.#chat = chat;
    this.#names = names;
    this.#whole = Boolean(options.whole);
    this.#unread = messages.unread;
    this.#bell = new Bell(t, frame);
    over.addEventListener("abort", () => this.#show(0, 0));
  }

  /**
   * Hear of a message of somebody else.
   *
   * @param {Message} message
   * @param {boolean} seen
   */
  hear(message, seen) {
    this.#times = [...this.#times, message.time].slice(-BUSY);
    if (!this.#isCall(message)) return;
    if (!seen) this.#unread.call(message.seq);
    if (!seen || !document.hasFocus()) this.#ring(message);
  }

  /** @param {Message} message */
  #isCall({ message, replyTo }) {
    const answered = replyTo === undefined ? null : this.#frame.querySelector(`.said [data-seq="${replyTo}"]`);
    return Boolean(answered?.matches(".mine")) || calls(message, this.#names.who);
  }

  /** @param {Message} message */
  #ring({ message, seq, user }) {
    // A change of direction in the name ends with it.
    const name = `\u2068${user?.name ?? this.#t("somebody")}\u2069`;
    const title = this.#t("calls.called", { name, room: this.#frame.querySelector("h1")?.textContent ?? "" });
    const tag = `livechat:${this.#chat.room}`;
    this.#bell.ring(title, [...plain(message)].slice(0, LONGEST).join(""), tag, () => this.jump(seq));
  }

  /** @param {Unread} unread */
  tell({ count, calls }) {
    const busy = this.#times.length === BUSY && this.#chat.now() - this.#times[0] < WHILE;
    this.#show(busy && !calls.size ? 0 : count, calls.size);
  }

  /**
   * @param {number} unread
   * @param {number} called
   */
  #show(unread, called) {
    if (!this.#whole) return;
    const text = called ? `(@${called}) ` : unread ? `(${unread}) ` : "";
    if (document.title !== text + this.#title) document.title = text + this.#title;
    const shown = called || unread;
    if (shown === this.#shown) return;
    this.#shown = shown;
    // A browser without badges, or one that forbids them, does no harm.
    navigator.setAppBadge?.(shown)?.catch(() => {});
  }
}
