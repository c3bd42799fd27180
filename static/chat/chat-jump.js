/**
 * Goes to a message, wherever it is: one that is shown, one that paging leads to, or one far away.
 *
 * @import { Messages } from "./chat-messages.js"
 * @import { Past } from "./chat-past.js"
 * @import { Quotes } from "./chat-quotes.js"
 * @import { Chat } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { find } from "./dom.js";

/** Messages in a page from the middle of the history; a half of them is newer than the one that is meant. */
const AROUND = 100;

export class Jump {
  #t;
  #chat;
  #past;
  #quotes;
  #messages;
  #scroller;
  #status;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {Chat} chat
   * @param {Past} past
   * @param {Quotes} quotes
   * @param {Messages} messages
   */
  constructor(t, frame, chat, past, quotes, messages) {
    this.#t = t;
    this.#chat = chat;
    this.#past = past;
    this.#quotes = quotes;
    this.#messages = messages;
    this.#scroller = find(frame, ".scroller");
    this.#status = find(frame, "[role=status]");
  }

  /** @param {number} seq */
  async to(seq) {
    while (!this.#messages.shown(seq) && this.#past.isClose(seq)) {
      const from = this.#past.from;
      await this.#past.load();
      if (this.#past.from === from) break;
    }
    const line = this.#messages.shown(seq) ?? (this.#past.isClose(seq) ? null : await this.#loadAround(seq));
    if (line) this.#show(line);
    else this.#status.textContent = this.#t("room.missing");
  }

  /**
   * Show what was said around a message, in place of what is shown.
   *
   * @param {number} seq
   */
  async #loadAround(seq) {
    const epoch = this.#chat.place?.epoch;
    const page = await this.#chat.history({ before: seq + AROUND / 2, limit: AROUND }).catch(() => undefined);
    if (!page || page.epoch !== epoch || epoch !== this.#chat.place?.epoch) return null;
    const shown = this.#messages.shown(seq);
    if (shown) return shown;
    if (!page.messages.some((each) => each.seq === seq)) {
      this.#quotes.miss(seq);
      return null;
    }
    this.#messages.replace(page.messages, page.more, page.next?.before ?? page.messages[0].seq);
    return this.#messages.shown(seq);
  }

  /**
   * Scroll to a line, and mark it as long as it has the focus.
   *
   * @param {HTMLElement} line
   */
  #show(line) {
    const { top, height } = this.#scroller.getBoundingClientRect();
    const box = line.getBoundingClientRect();
    this.#scroller.scrollTop += box.top - top - Math.max(0, (height - box.height) / 2);
    line.tabIndex = -1;
    line.classList.add("found");
    line.focus({ preventScroll: true });
    const leave = () => {
      line.classList.remove("found");
      line.removeAttribute("tabindex");
    };
    line.addEventListener("focusout", leave, { once: true });
    this.#messages.look();
  }
}
