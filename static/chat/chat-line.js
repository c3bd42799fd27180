/**
 * A line of the log: a message, or what stands between them.
 *
 * @import { Names } from "./chat-names.js"
 * @import { Data, Message } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { dayLine } from "./chat-day.js";
import { subject } from "./chat-names.js";
import { avatar } from "./chat-people.js";
import { element, find } from "./dom.js";

/** @type {WeakMap<HTMLElement, Data>} what other programs have put into messages, by their lines */
const DATA = new WeakMap();
/** @type {WeakMap<HTMLElement, string>} messages as they were written, by their lines */
const TEXTS = new WeakMap();
/** Milliseconds within which messages of the same person stand together. */
const TOGETHER = 300_000;
/** Lines of text that stand under one name, and about how many characters a line has. */
const UNDER_A_NAME = 15;
const WIDTH = 60;

/**
 * @param {Texts} t
 * @param {Message} message
 * @param {boolean} mine
 * @param {Names} names
 * @param {HTMLElement} text the paragraph that shows it
 * @param {HTMLElement} [quote] of the message that it answers
 */
export function line(t, { message, seq, time, user, edited, data }, mine, names, text, quote) {
  const name = element("b", "", mine ? t("you") : names.show(user));
  const when = element("time", "", t.time(time));
  when.dateTime = new Date(time).toISOString();
  when.title = t.moment(time);
  const kind = mine ? "message mine" : "message";
  text.part.add("message", ...(mine ? ["own"] : []));
  const made = element("li", kind, avatar(user), name, ...(quote ? [quote] : []), text, element("span", "when", when));
  made.dataset.seq = String(seq);
  made.dataset.time = String(time);
  made.dataset.user = user ? subject(user) : "";
  if (edited) mark(t, made, edited);
  keep(made, message, data, mine);
  return made;
}

/**
 * Know a line by what it shows.
 *
 * @param {HTMLElement} made
 * @param {string} message
 * @param {Data | undefined} data
 * @param {boolean} mine whether the visitor has written it, whom it does not call then
 */
export function keep(made, message, data, mine) {
  TEXTS.set(made, message);
  if (data) DATA.set(made, data);
  else DATA.delete(made);
  made.classList.toggle("calls", !mine && made.querySelector("mark") !== null);
}

/**
 * Stop announcing changes of a line that was announced.
 *
 * @param {HTMLElement} made
 */
export const hush = (made) => made.setAttribute("aria-live", "off");

/**
 * @param {Texts} t
 * @param {HTMLElement} made
 * @param {number} edited when
 */
export function mark(t, made, edited) {
  const small = made.querySelector(".edited") ?? element("small", "edited", t("line.edited"));
  small.setAttribute("title", t("line.edited-at", { time: t.moment(edited) }));
  find(made, "time").before(small);
}

/** @param {HTMLElement} made */
export const dataOf = (made) => DATA.get(made);

/** @param {HTMLElement} made */
export const textOf = (made) => TEXTS.get(made) ?? "";

/**
 * Show a message together with the one before, or under its day.
 *
 * @param {Texts} t
 * @param {HTMLElement} made
 */
export function settle(t, made) {
  let previous = made.previousElementSibling;
  let apart = false;
  while (previous && !previous.matches(".message")) {
    const passed = previous;
    previous = previous.previousElementSibling;
    if (passed.matches(".day")) passed.remove();
    else apart = true;
  }
  const time = Number(made.dataset.time);
  const before = previous instanceof HTMLElement ? previous.dataset : undefined;
  const day = new Date(time).toDateString();
  if (!before || new Date(Number(before.time)).toDateString() !== day) {
    const separator = dayLine(t, time);
    if (previous) previous.after(separator);
    else made.parentElement?.prepend(separator);
    apart = true;
  }
  const together = before?.user === made.dataset.user && time - Number(before?.time) < TOGETHER;
  group(made, together && !apart ? Number(before?.lines) : undefined);
}

/**
 * Show a message's author where it begins a group, and again where too much stands under one name.
 *
 * @param {HTMLElement} made
 * @param {number} [lines] that stand before it under the name; none, where it begins a group
 */
function group(made, lines) {
  const own = textOf(made).split("\n").reduce((sum, each) => sum + Math.max(1, Math.ceil(each.length / WIDTH)), 0);
  const more = lines !== undefined && lines + own <= UNDER_A_NAME;
  const count = String(more ? lines + own : own);
  const same = made.dataset.lines === count;
  made.classList.toggle("more", more);
  made.dataset.lines = count;
  // Lines that follow count on from here, where something was put before.
  const next = made.nextElementSibling;
  if (!same && next instanceof HTMLElement && next.matches(".message.more")) group(next, Number(count));
}

/**
 * @param {string} kind
 * @param {...(string | Node)} text
 */
export function marker(kind, ...text) {
  return element("li", `marker ${kind}`, element("span", "", ...text));
}
