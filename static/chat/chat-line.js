/**
 * A line of the log: a message, or what stands between them.
 *
 * @import { Names } from "./chat-names.js"
 * @import { Message } from "./livechat.js"
 */

import { avatar } from "./chat-people.js";
import { element } from "./dom.js";

/** Milliseconds within which messages of the same person stand together. */
const TOGETHER = 300_000;
const LINK = /\bhttps?:\/\/[^\s<>"]+/g;

/**
 * @param {Message} message
 * @param {boolean} mine
 * @param {Names} names
 */
export function line({ message, seq, time, user }, mine, names) {
  const name = element("b", "", mine ? "You" : names.show(user));
  const moment = new Date(time);
  const clock = moment.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
  const when = element("time", "", clock);
  when.dateTime = moment.toISOString();
  when.title = moment.toLocaleString();
  const kind = mine ? "message mine" : "message";
  const made = element("li", kind, avatar(user), name, words(message), when);
  made.dataset.seq = String(seq);
  made.dataset.time = String(time);
  made.dataset.user = user?.id ?? "";
  return made;
}

/**
 * A message's text, in which addresses are links.
 *
 * @param {string} message
 */
function words(message) {
  const made = element("p");
  made.dir = "auto";
  let end = 0;
  for (const { 0: found, index } of message.matchAll(LINK)) {
    const address = withoutEnd(found);
    const link = element("a", "", address);
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow ugc";
    made.append(message.slice(end, index), link);
    end = index + address.length;
  }
  made.append(message.slice(end));
  return made;
}

/**
 * An address without what belongs to the sentence around it.
 *
 * @param {string} address
 */
function withoutEnd(address) {
  let end = address;
  const isOpen = () => end.split("(").length < end.split(")").length;
  while (/[.,:;!?'\]]$/.test(end) || (end.endsWith(")") && isOpen())) end = end.slice(0, -1);
  return end;
}

/**
 * Show a message together with the one before, or under its day.
 *
 * @param {HTMLElement} made
 */
export function settle(made) {
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
    const text = new Date(time).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
    const separator = marker("day", text);
    if (previous) previous.after(separator);
    else made.parentElement?.prepend(separator);
    apart = true;
  }
  const together = before?.user === made.dataset.user && time - Number(before?.time) < TOGETHER;
  made.classList.toggle("more", together && !apart);
}

/**
 * @param {string} kind
 * @param {string} text
 */
export function marker(kind, text) {
  return element("li", `marker ${kind}`, element("span", "", text));
}

/**
 * @param {string} message
 * @param {string} note
 * @param {[string, () => void][]} choices
 */
export function unsent(message, note, choices) {
  const buttons = choices.map(([text, choose]) => {
    const button = element("button", "quiet", text);
    button.type = "button";
    button.addEventListener("click", choose);
    return button;
  });
  return element("li", "message mine unsent", words(message), element("small", "", note), ...buttons);
}
