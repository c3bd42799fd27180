/**
 * Makes lines of messages: with the text of now, the quote, and later the button of the menu.
 *
 * @import { Changes } from "./chat-changes.js"
 * @import { Folds } from "./chat-folds.js"
 * @import { Ignored } from "./chat-ignored.js"
 * @import { Names } from "./chat-names.js"
 * @import { Quotes } from "./chat-quotes.js"
 * @import { Chat, Gap, Message, Moderated } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { hush, line, marker, takeBack } from "./chat-line.js";
import { sentence } from "./chat-moderated.js";
import { isSame, subject } from "./chat-names.js";

/** Milliseconds after which a message is no longer news to a screen reader. */
export const QUIET = 200;

export class Lines {
  #t;
  #chat;
  #names;
  #changes;
  #quotes;
  #ignored;
  #folds;
  #offer;
  /** @type {HTMLElement[]} those that are to have a button, once they have been announced */
  #fresh = [];
  #offering = 0;

  /**
   * @param {Texts} t
   * @param {Chat} chat
   * @param {Names} names
   * @param {Changes} changes
   * @param {Ignored} ignored
   * @param {{ quotes: Quotes, folds: Folds }} parts
   * @param {(lines: HTMLElement[]) => void} offer gives lines their buttons
   */
  constructor(t, chat, names, changes, ignored, { quotes, folds }, offer) {
    this.#t = t;
    this.#chat = chat;
    this.#names = names;
    this.#changes = changes;
    this.#ignored = ignored;
    this.#quotes = quotes;
    this.#folds = folds;
    this.#offer = offer;
  }

  /** @param {Message} message */
  make(message) {
    const now = this.#changes.apply(message);
    const { replyTo, ...rest } = now ?? { ...message, message: "", replyTo: undefined };
    const quote = replyTo === undefined ? undefined : this.#quotes.make(replyTo);
    const made = line(this.#t, rest, this.isMine(message), this.#names, quote);
    if (!now) takeBack(this.#t, made, this.#changes.gone(message.seq));
    this.#ignored.fold(made);
    this.#folds.watch(made);
    this.#fresh.push(made);
    clearTimeout(this.#offering);
    this.#offering = Number(setTimeout(() => this.#settle(), QUIET));
    return made;
  }

  /** Whatever becomes of these from now on is not announced as something said. */
  #settle() {
    const fresh = this.#fresh.splice(0).filter((each) => each.isConnected);
    for (const each of fresh) hush(each);
    this.#offer(fresh);
  }

  /** @param {Message} message */
  isMine({ user }) {
    return isSame(user, this.#chat.user);
  }

  /**
   * Whether a message is news to the visitor.
   *
   * @param {Message} message
   */
  isNews(message) {
    const { seq, user } = message;
    if (user && this.#ignored.has(subject(user))) return false;
    return !this.isMine(message) && this.#changes.gone(seq) === undefined;
  }
}

/**
 * A line in place of messages that were missed.
 *
 * @param {Texts} t
 * @param {Gap} gap
 */
export const gapLine = (t, { reason, missed = 0 }) => marker("gap", t(`gap.${reason}`, { count: missed }));

/**
 * A line on an act of a moderator; nothing, where that is not shown.
 *
 * @param {Texts} t
 * @param {Moderated} moderated
 */
export function moderatedLine(t, moderated) {
  const told = sentence(t, moderated);
  if (!told) return undefined;
  const made = marker("moderated", ...told);
  hush(made);
  return made;
}
