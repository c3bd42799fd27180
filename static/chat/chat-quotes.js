/**
 * Quotes: whom a message answers, and the beginning of what was said.
 *
 * A quote says what the message says that is quoted: it follows its edits, and is empty where that was
 * taken back. A message that is not among those that are shown is asked for, once its quote is seen.
 *
 *     unknown --asked for, or shown--> known --edited--> known
 *        |                               |
 *        +--not there any more-----------+--taken back--> gone
 *
 * @import { Changes } from "./chat-changes.js"
 * @import { Messages } from "./chat-messages.js"
 * @import { Chat, Edited, Message, Retracted } from "./livechat.js"
 * @import { Key, Texts } from "./texts.js"
 */

import { textOf } from "./chat-line.js";
import { plain } from "./chat-text.js";
import { element, find } from "./dom.js";

/** Characters of a text that a quote may show. */
const LONGEST = 200;
/** Messages that are kept for quotes alone. */
const MOST = 200;

export class Quotes {
  #t;
  #frame;
  #chat;
  #changes;
  #messages;
  #line;
  #seen;
  /** @type {Map<number, HTMLElement | null>} lines that are not shown; null: there is none */
  #apart = new Map();
  /** The last request: quotes are read one at a time. */
  #turn = Promise.resolve();

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {Chat} chat
   * @param {Changes} changes
   * @param {Messages} messages
   * @param {(message: Message) => HTMLElement} line makes one
   * @param {AbortSignal} over
   */
  constructor(t, frame, chat, changes, messages, line, over) {
    this.#t = t;
    this.#frame = frame;
    this.#chat = chat;
    this.#changes = changes;
    this.#messages = messages;
    this.#line = line;
    this.#seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting && target instanceof HTMLElement) this.#want(target);
      }
    });
    over.addEventListener("abort", () => this.#seen.disconnect());
  }

  /** @param {number} seq of the message that is quoted */
  make(seq) {
    return this.#messages.lines.quote(seq);
  }

  /** @param {HTMLElement} quote that says nothing yet */
  fill(quote) {
    this.#fill(quote, Number(quote.dataset.quotes));
  }

  /** Fill those that were there before this. */
  fillAll() {
    for (const quote of this.#frame.querySelectorAll(".quote.unknown")) {
      if (quote instanceof HTMLElement) this.fill(quote);
    }
  }

  /** @param {number} seq */
  #all(seq) {
    const quotes = this.#frame.querySelectorAll(`.quote[data-quotes="${seq}"]`);
    return /** @type {HTMLElement[]} */ ([...quotes]);
  }

  /**
   * @param {HTMLElement} quote
   * @param {number} seq
   */
  #fill(quote, seq) {
    const line = this.#messages.shown(seq) ?? this.#apart.get(seq);
    if (line === null || this.#changes.isGone(seq) || line?.matches(".gone")) this.#empty(quote);
    else if (line) this.#show(quote, line);
    else {
      quote.classList.add("unknown");
      quote.replaceChildren(this.#t("quote.unknown"));
      this.#seen.observe(quote);
    }
  }

  /**
   * @param {HTMLElement} quote
   * @param {HTMLElement} line
   */
  #show(quote, line) {
    this.#settle(quote);
    const head = /** @type {Key} */ (quote.dataset.head);
    const author = element("span", "author", ...find(line, "b").cloneNode(true).childNodes);
    const text = element("span", "words", line.matches(".ignored") ? "…" : beginning(textOf(line)));
    text.dir = "auto";
    const parts = this.#t.nodes(head, { name: author });
    quote.replaceChildren(...parts.map((each) => (each === author ? each : element("span", "unseen", each))), text);
  }

  /** @param {HTMLElement} quote of what is not there any more */
  #empty(quote) {
    this.#settle(quote);
    quote.classList.add("empty");
    const known = this.#changes.gone(Number(quote.dataset.quotes));
    quote.replaceChildren(this.#t(known ? "quote.taken-back" : "quote.gone"));
  }

  /** @param {HTMLElement} quote of which one knows what it shows */
  #settle(quote) {
    this.#seen.unobserve(quote);
    quote.classList.remove("unknown");
  }

  /** Lines have come, which may be those that quotes have been waiting for. */
  look() {
    for (const quote of this.#frame.querySelectorAll(".quote.unknown")) {
      const seq = quote instanceof HTMLElement ? Number(quote.dataset.quotes) : 0;
      if (quote instanceof HTMLElement && this.#messages.shown(seq)) this.#fill(quote, seq);
    }
  }

  /** @param {Edited} edited */
  edit({ ref, text }) {
    this.#apart.delete(ref);
    for (const quote of this.#all(ref)) {
      const words = quote.querySelector(".words");
      if (words) words.textContent = beginning(text);
    }
  }

  /** @param {Retracted} retracted */
  retract({ refs }) {
    for (const ref of refs) {
      this.#apart.delete(ref);
      for (const quote of this.#all(ref)) this.#empty(quote);
    }
  }

  /** @param {number} seq of a message that is not there any more */
  miss(seq) {
    this.#apart.set(seq, null);
    for (const quote of this.#all(seq)) this.#fill(quote, seq);
  }

  /** The numbers are others'. */
  forget() {
    this.#apart.clear();
  }

  /** @param {HTMLElement} quote that is seen, and says nothing yet */
  #want(quote) {
    this.#seen.unobserve(quote);
    this.#turn = this.#turn.then(() => this.#ask(quote, Number(quote.dataset.quotes)));
  }

  /**
   * @param {HTMLElement} quote
   * @param {number} seq
   */
  async #ask(quote, seq) {
    const place = this.#chat.place;
    if (!place || !this.#chat.can.has("history") || !quote.isConnected || !quote.matches(".unknown")) return;
    try {
      const { messages, epoch } = await this.#chat.history({ after: seq - 1, limit: 1 });
      if (epoch !== this.#chat.place?.epoch) return;
      const found = messages.find((each) => each.seq === seq);
      const message = found && this.#changes.apply(found);
      if (this.#apart.size >= MOST) this.#apart.clear();
      if (message) this.#apart.set(seq, this.#line(message));
      if (message) for (const each of this.#all(seq)) this.#fill(each, seq);
      else this.miss(seq);
    } catch {
      // The quote is read again when the visitor follows it.
    }
  }
}

/** @param {string} text */
function beginning(text) {
  const read = plain(text.slice(0, 4 * LONGEST));
  const letters = [...read.slice(0, 2 * LONGEST + 2)];
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST).join("")}…` : read;
}
