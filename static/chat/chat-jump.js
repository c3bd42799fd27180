/**
 * Goes to a message, wherever it is: one that is shown, one that paging leads to, or one far away.
 *
 * @import { Past } from "./chat-past.js"
 * @import { Quotes } from "./chat-quotes.js"
 * @import { Message } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { find } from "./dom.js";

/**
 * The log.
 *
 * @typedef {object} Lines
 * @property {(seq: number) => HTMLElement | null} shown
 * @property {(messages: Message[], more: boolean, from: number) => void} replace shows these in place of what is shown
 * @property {() => void} look what there is to be seen is another
 */

export class Jump {
  #t;
  #past;
  #quotes;
  #lines;
  #scroller;
  #status;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {Past} past
   * @param {Quotes} quotes
   * @param {Lines} lines
   */
  constructor(t, frame, past, quotes, lines) {
    this.#t = t;
    this.#past = past;
    this.#quotes = quotes;
    this.#lines = lines;
    this.#scroller = find(frame, ".scroller");
    this.#status = find(frame, "[role=status]");
  }

  /** @param {number} seq */
  async to(seq) {
    while (!this.#lines.shown(seq) && this.#past.isClose(seq)) {
      const from = this.#past.from;
      await this.#past.load();
      if (this.#past.from === from) break;
    }
    const line = this.#lines.shown(seq) ?? (this.#past.isClose(seq) ? null : await this.#loadAround(seq));
    if (line) this.#show(line);
    else this.#status.textContent = this.#t("room.missing");
  }

  /**
   * Show what was said around a message, in place of what is shown.
   *
   * @param {number} seq
   */
  async #loadAround(seq) {
    const page = await this.#past.around(seq);
    if (!page) return null;
    const shown = this.#lines.shown(seq);
    if (shown) return shown;
    if (!page.messages.some((each) => each.seq === seq)) {
      this.#quotes.miss(seq);
      return null;
    }
    this.#lines.replace(page.messages, page.more, page.next?.before ?? page.messages[0].seq);
    return this.#lines.shown(seq);
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
    this.#lines.look();
  }
}
