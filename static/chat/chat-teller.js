/** Says what became of something, above the composer. */

import { element, find } from "./dom.js";

/**
 * Says something for a while, perhaps with a button.
 *
 * @typedef {(text: (string | Node)[], button?: readonly [text: string, choose: () => void]) => void} Teller
 */

/** Milliseconds for which it is shown. */
const TOLD = 10_000;

/**
 * @param {HTMLElement} frame
 * @param {AbortSignal} over
 * @returns {Teller}
 */
export function teller(frame, over) {
  const place = find(frame, ".told");
  const scroller = find(frame, ".scroller");
  const status = find(frame, "[role=status]");
  let timer = 0;
  const hide = () => {
    // Not while somebody is about to press its button.
    if (place.matches(":hover, :focus-within")) timer = Number(setTimeout(hide, TOLD));
    else place.hidden = true;
  };
  over.addEventListener("abort", () => clearTimeout(timer));
  return (text, button) => {
    clearTimeout(timer);
    timer = Number(setTimeout(hide, TOLD));
    place.hidden = false;
    const shown = find(place, "span");
    shown.replaceChildren(...text);
    status.textContent = shown.textContent;
    place.querySelector("button")?.remove();
    if (!button) return;
    const made = element("button", "quiet", button[0]);
    made.type = "button";
    made.addEventListener("click", () => {
      place.hidden = true;
      scroller.focus();
      button[1]();
    });
    place.append(made);
  };
}
