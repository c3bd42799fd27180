/**
 * People whom the visitor ignores, on this device: of what they say a line is shown that they said something.
 */

/** @import { Texts } from "./texts.js" */

import { Kept } from "./livechat-outbox.js";
import { element, find } from "./dom.js";

/** People; the first are forgotten for others. */
const MOST = 100;

export class Ignored {
  /** Is called when they are others. */
  onChange = () => {};
  #t;
  #kept = new Kept("localStorage");
  #where;
  /** @type {Map<string, string>} names by subject */
  #people;

  /**
   * @param {Texts} t
   * @param {URL} url
   */
  constructor(t, url) {
    this.#t = t;
    this.#where = `livechat:ignored:${url.href}`;
    this.#people = this.#read();
  }

  /** @returns {Map<string, string>} */
  #read() {
    try {
      const found = JSON.parse(this.#kept.get(this.#where) ?? "[]");
      const pairs = found.filter((/** @type {unknown[]} */ each) => each.every((part) => typeof part === "string"));
      return new Map(pairs.slice(-MOST));
    } catch {
      // Something else has written there.
      return new Map();
    }
  }

  get people() {
    return [...this.#people];
  }

  /** @param {string | undefined} subject */
  has(subject) {
    return this.#people.has(subject ?? "");
  }

  /**
   * Ignore others.
   *
   * @param {(people: Map<string, string>) => void} change
   */
  change(change) {
    // Another tab may have changed them.
    const people = this.#read();
    change(people);
    this.#people = new Map([...people].slice(-MOST));
    this.#kept.set(this.#where, JSON.stringify([...this.#people]));
    this.onChange();
  }

  /**
   * Fold a line, or unfold it, as its author is ignored or not.
   *
   * @param {HTMLElement} line
   */
  fold(line) {
    const ignored = this.has(line.dataset.user);
    if (ignored === Boolean(line.querySelector(".veil"))) return;
    line.classList.toggle("ignored", ignored);
    if (!ignored) {
      find(line, ".veil").remove();
      return;
    }
    const button = element("button", "quiet", this.#t("ignored.show"));
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => {
      const folded = line.classList.toggle("ignored");
      button.textContent = this.#t(folded ? "ignored.show" : "ignored.hide");
      button.setAttribute("aria-expanded", String(!folded));
    });
    const name = element("bdi", "", find(line, "b bdi").textContent ?? "");
    line.prepend(element("small", "veil", ...this.#t.nodes("ignored.line", { name, button })));
  }
}
