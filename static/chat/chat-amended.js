/**
 * Changes of a line of the log: another text, none, a note; and lines of what was not said.
 *
 * @import { Names } from "./chat-names.js"
 * @import { Edited } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { dataOf, hush, keep, mark, textOf } from "./chat-line.js";
import { words } from "./chat-text.js";
import { element, find } from "./dom.js";

/**
 * @param {Texts} t
 * @param {HTMLElement} made
 * @param {Edited} edited
 * @param {Names} names
 */
export function rewrite(t, made, { text, time, data }, names) {
  hush(made);
  mark(t, made, time);
  if (textOf(made) !== text) show(made, text, names);
  keep(made, text, data, made.matches(".mine"));
}

/**
 * Show a text in a line, with its marks and links.
 *
 * @param {HTMLElement} made
 * @param {string} text
 * @param {Names} names
 */
export function show(made, text, names) {
  find(made, "p").replaceChildren(...words(text, names.who).childNodes);
  keep(made, text, dataOf(made), made.matches(".mine"));
}

/**
 * Leave of a message only that there was one.
 *
 * @param {Texts} t
 * @param {HTMLElement} made
 * @param {string} [by]
 */
export function takeBack(t, made, by) {
  hush(made);
  for (const each of made.querySelectorAll(".quote, .edited, .fold, .note, .actions")) each.remove();
  made.classList.remove("cut", "whole", "calls");
  made.classList.add("gone");
  keep(made, "", undefined, true);
  find(made, "p").textContent = t(by === "moderator" ? "line.removed" : "line.taken-back");
}

/**
 * Say what is being done with a message; or, with no text, nothing any more.
 *
 * @param {HTMLElement} made
 * @param {string} text
 */
export function note(made, text) {
  hush(made);
  const small = made.querySelector(".note") ?? element("small", "note");
  if (small.textContent !== text) small.textContent = text;
  if (!text) small.remove();
  else if (!small.isConnected) find(made, "p").after(small);
}

/**
 * @param {HTMLElement | undefined} quote of what it is about
 * @param {string} message
 * @param {string} note
 * @param {[string, () => void][]} choices
 */
export function unsent(quote, message, note, choices) {
  const buttons = choices.map(([text, choose]) => {
    const button = element("button", "quiet", text);
    button.type = "button";
    button.addEventListener("click", choose);
    return button;
  });
  const text = [...(quote ? [quote] : []), ...(message ? [words(message)] : [])];
  return element("li", "message mine unsent", ...text, element("small", "", note), ...buttons);
}
