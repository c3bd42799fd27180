/**
 * Texts that are too tall to be shown whole: a button shows the rest, and hides it again.
 *
 * The style sheet bounds the height.  The browser reports the sizes of all texts together, after it has
 * laid them out; asking for each size would force a layout each time.
 *
 * @import { Scroll } from "./chat-scroll.js"
 * @import { Texts } from "./texts.js"
 */

import { element, find } from "./dom.js";

/** Characters up to which no text is too tall, however narrow its lines are. */
const SHORT = 10;
const CUT = "cut";
const WHOLE = "whole";

export class Folds {
  #t;
  #scroller;
  #scroll;
  #sizes;
  /** Pixels that a text has that is cut off. */
  #tallest = 0;

  /**
   * @param {Texts} t
   * @param {HTMLElement} scroller where the texts are
   * @param {Scroll} scroll
   * @param {AbortSignal} over
   */
  constructor(t, scroller, scroll, over) {
    this.#t = t;
    this.#scroller = scroller;
    this.#scroll = scroll;
    this.#sizes = new ResizeObserver((entries) => {
      this.#look(entries.map(({ target }) => target).filter((target) => target instanceof HTMLElement));
    });
    over.addEventListener("abort", () => this.#sizes.disconnect());
    scroller.addEventListener("focusin", ({ target }) => {
      if (target instanceof HTMLElement) this.#reveal(target);
    });
  }

  /** @param {HTMLElement} line with a text */
  watch(line) {
    const text = find(line, "p");
    if ((text.textContent ?? "").length > SHORT) this.#sizes.observe(text);
  }

  /** @param {HTMLElement[]} texts of which the size has changed */
  #look(texts) {
    const found = texts.map((text) => ({ line: lineOf(text), folds: this.#folds(text) }));
    const changed = found.filter(({ line, folds }) => folds === !buttonOf(line));
    if (changed.length) this.#scroll.inPlace(() => changed.forEach(({ line, folds }) => this.#offer(line, folds)));
  }

  /**
   * Tell if a text is too tall to be shown whole.
   *
   * @param {HTMLElement} text
   */
  #folds(text) {
    if (lineOf(text).matches(`.${WHOLE}`)) return text.clientHeight > this.#tallest;
    const all = document.createRange();
    all.selectNodeContents(text);
    const isCut = all.getBoundingClientRect().bottom > text.getBoundingClientRect().bottom;
    if (isCut) this.#tallest = text.clientHeight;
    return isCut;
  }

  /**
   * @param {HTMLElement} line
   * @param {boolean} folds
   */
  #offer(line, folds) {
    const button = buttonOf(line) ?? element("button", "quiet fold");
    if (folds) {
      button.type = "button";
      button.addEventListener("click", () => this.#turn(line, button));
      find(line, "p").after(button);
    } else {
      if (button.matches(":focus")) this.#scroller.focus();
      button.remove();
    }
    this.#show(line, button, false, folds);
  }

  /**
   * @param {HTMLElement} line
   * @param {HTMLButtonElement} button
   */
  #turn(line, button) {
    const whole = !line.matches(`.${WHOLE}`);
    // An unfolded text goes on where it was cut off; folded again, its button stays in place.
    this.#scroll.inPlace(() => this.#show(line, button, whole), whole ? line : button);
    if (!whole) button.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {HTMLElement} line
   * @param {HTMLButtonElement} button
   * @param {boolean} whole
   * @param {boolean} folds
   */
  #show(line, button, whole, folds = true) {
    line.classList.toggle(WHOLE, whole);
    line.classList.toggle(CUT, folds && !whole);
    button.textContent = this.#t(whole ? "line.less" : "line.more");
    button.setAttribute("aria-expanded", String(whole));
  }

  /**
   * Show the rest of a text where something in it has the focus.
   *
   * @param {HTMLElement} focused
   */
  #reveal(focused) {
    const text = focused.parentElement;
    const line = focused.closest(".message");
    if (!(text?.matches("p") && line instanceof HTMLElement && line.matches(`.${CUT}`))) return;
    if (focused.getBoundingClientRect().bottom <= text.getBoundingClientRect().bottom) return;
    this.#turn(line, /** @type {HTMLButtonElement} */ (buttonOf(line)));
    focused.scrollIntoView({ block: "nearest" });
  }
}

/** @param {HTMLElement} text */
const lineOf = (text) => /** @type {HTMLElement} */ (text.parentElement);

/**
 * @param {HTMLElement} line
 * @returns {HTMLButtonElement | null}
 */
const buttonOf = (line) => line.querySelector(".fold");
