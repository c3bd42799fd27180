/** Keeps what is seen of the log in place, while lines above or below it change. */

export class Scroll {
  #scroller;
  /** Part of a pixel by which the log is off its place. */
  #owed = 0;

  /** @param {HTMLElement} scroller which scrolls from its end */
  constructor(scroller) {
    this.#scroller = scroller;
  }

  /**
   * Change what is shown so that an element stays where it is seen.
   *
   * @param {() => void} change
   * @param {Element | undefined} [anchor] unless said, the first that is seen
   */
  inPlace(change, anchor = this.#firstSeen()) {
    const before = anchor?.getBoundingClientRect().top ?? 0;
    change();
    if (!anchor) return;
    const wanted = this.#scroller.scrollTop + this.#owed + anchor.getBoundingClientRect().top - before;
    this.#scroller.scrollTop = wanted;
    // Browsers round the place.  The rest is made up for the next time, or it would add up.
    const rest = wanted - this.#scroller.scrollTop;
    this.#owed = Math.abs(rest) < 1 ? rest : 0;
  }

  /** The first line that is seen; none at the end of the log, which stays by itself. */
  #firstSeen() {
    if (!this.#scroller.scrollTop) return undefined;
    const { top } = this.#scroller.getBoundingClientRect();
    const lines = [...this.#scroller.querySelectorAll(".message")];
    return lines.find((line) => line.getBoundingClientRect().bottom > top);
  }
}
