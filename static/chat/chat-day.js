/**
 * Names of days, and the line above each in the log.
 *
 * @import { Texts } from "./texts.js"
 */

import { element } from "./dom.js";

/** Milliseconds of most days; of some it is 23 or 25 hours. */
const DAY = 86_400_000;

/**
 * The name of a day: today, yesterday, or its date, with the year where that is another.
 *
 * @param {Texts} t
 * @param {number} time
 * @param {number} [now]
 */
export function nameDay(t, time, now = Date.now()) {
  const ago = Math.round((midnight(now) - midnight(time)) / DAY);
  if (ago === 0 || ago === 1) {
    const [first, ...rest] = new Intl.RelativeTimeFormat(t.locale, { numeric: "auto" }).format(ago ? -1 : 0, "day");
    return first.toLocaleUpperCase(t.locale) + rest.join("");
  }
  const year = new Date(time).getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
  return t.date(time, { weekday: "long", day: "numeric", month: "long", year });
}

/** @param {number} time */
const midnight = (time) => new Date(time).setHours(0, 0, 0, 0);

/**
 * The end of a time's day: the beginning of the next one.
 *
 * @param {number} time
 */
export const endOfDay = (time) => new Date(time).setHours(24, 0, 0, 0);

/**
 * The line of a day; it leads to others.
 *
 * @param {Texts} t
 * @param {number} time
 */
export function dayLine(t, time) {
  const button = element("button", "quiet", nameDay(t, time));
  button.type = "button";
  button.title = t("days.jump");
  button.dataset.time = String(time);
  const line = element("li", "marker day", button);
  // The day's name changes at midnight, which is no news.
  line.setAttribute("aria-live", "off");
  return line;
}
