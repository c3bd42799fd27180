/**
 * Makes lines of messages. What more there is to a line (its quote, its menu) is added by chat-log.js, when it is there.
 *
 * @import { Ignored } from "./chat-ignored.js"
 * @import { Names } from "./chat-names.js"
 * @import { Chat, Gap, Message } from "./livechat.js"
 * @import { Key, Texts } from "./texts.js"
 */

import { hush, line, marker } from "./chat-line.js";
import { isSame, subject } from "./chat-names.js";
import { element } from "./dom.js";

/** Milliseconds after which a message is no longer news to a screen reader. */
export const QUIET = 200;

export class Lines {
  /** @type {(message: Message) => Message | undefined} a message as it reads now; none if it was taken back */
  revise = (message) => message;
  /** Makes the paragraph of a text, without marks and links. */
  words = (/** @type {string} */ text) => {
    const made = element("p", "", text);
    made.dir = "auto";
    return made;
  };
  /** Is given each line. */
  onMade = (/** @type {HTMLElement} */ _line) => {};
  /** Is given lines that have been announced. */
  onTold = (/** @type {HTMLElement[]} */ _lines) => {};
  /** Is given each quote, which says nothing yet. */
  onQuote = (/** @type {HTMLElement} */ _quote) => {};
  #t;
  #chat;
  #names;
  #ignored;
  /** @type {HTMLElement[]} those that are still to be announced */
  #fresh = [];
  #telling = 0;

  /**
   * @param {Texts} t
   * @param {Chat} chat
   * @param {Names} names
   * @param {Ignored} ignored
   */
  constructor(t, chat, names, ignored) {
    this.#t = t;
    this.#chat = chat;
    this.#names = names;
    this.#ignored = ignored;
  }

  /** @param {Message} message */
  make(message) {
    const { replyTo, ...rest } = this.revise(message) ?? { ...message, message: "", replyTo: undefined };
    const quote = replyTo === undefined ? undefined : this.quote(replyTo);
    const made = line(this.#t, rest, this.isMine(message), this.#names, this.words(rest.message), quote);
    this.onMade(made);
    this.#ignored.fold(made);
    this.#fresh.push(made);
    clearTimeout(this.#telling);
    this.#telling = Number(setTimeout(() => this.#settle(), QUIET));
    return made;
  }

  /**
   * A quote of a message, which leads there.
   *
   * @param {number} seq of the message that is quoted
   * @param {Key} [head] tells it to a screen reader
   */
  quote(seq, head = "quote.reply") {
    const quote = element("button", "quote unknown", this.#t("quote.unknown"));
    quote.type = "button";
    quote.dataset.head = head;
    quote.dataset.quotes = String(seq);
    this.onQuote(quote);
    return quote;
  }

  /** Stop announcing changes of these lines as new messages. */
  #settle() {
    const fresh = this.#fresh.splice(0).filter((each) => each.isConnected);
    for (const each of fresh) hush(each);
    this.onTold(fresh);
  }

  /** @param {Message} message */
  isMine({ user }) {
    return isSame(user, this.#chat.user);
  }

  /**
   * Tell if a message is news to the visitor.
   *
   * @param {Message} message
   */
  isNews(message) {
    const { user } = message;
    if (user && this.#ignored.has(subject(user))) return false;
    return !this.isMine(message) && this.revise(message) !== undefined;
  }
}

/**
 * A line in place of messages that were missed.
 *
 * @param {Texts} t
 * @param {Gap} gap
 */
export const gapLine = (t, { reason, missed = 0 }) => marker("gap", t(`gap.${reason}`, { count: missed }));
