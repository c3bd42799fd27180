/**
 * Acts of moderators, as lines of the log.
 *
 * @import { Moderated } from "./livechat.js"
 * @import { Key, Texts } from "./texts.js"
 */

import { hush, marker } from "./chat-line.js";
import { element } from "./dom.js";

const KINDS = /** @type {Record<string, Key>} */ ({ operator: "moderated.operator", key: "program" });

/** In seconds; a time is told in the first that it is a multiple of. */
const UNITS = /** @type {[number, string][]} */ ([[86_400, "day"], [3_600, "hour"], [60, "minute"]]);

/**
 * The text of an act; nothing, if that is not shown.
 *
 * @param {Texts} t
 * @param {Moderated} moderated
 * @returns {(string | Node)[] | undefined}
 */
function sentence(t, { action, by }) {
  const { type, user, kind = "", seconds, reason, count, set, verdict } = /** @type {any} */ (action);
  const who = apart(by.name ?? by.user?.name ?? t(KINDS[by.kind] ?? "somebody"));
  const name = apart(user?.name ?? t("somebody"));
  const say = (/** @type {string} */ act, /** @type {Record<string, string | number | Node>} */ more = {}) => {
    const key = `moderated.${act}`;
    // A newer server has acts that this page does not know.
    return t.has(key) ? t.nodes(key, { by: who, name, ...more }) : undefined;
  };
  const why = reason ? t.nodes("because", { text: "", reason: apart(reason) }) : [];
  switch (type) {
    case "restrict":
      return say(seconds ? `${kind}-for` : kind, { time: span(t.locale, seconds ?? 0) })?.concat(why);
    case "pardon":
    case "clear":
      return say(type);
    case "retract":
      return say("retract", { count: count ?? 1 });
    case "room":
      return say("room", { what: Object.keys(set ?? {}).join(", ") });
    case "review":
      return say(verdict)?.concat(why);
    default:
      return undefined;
  }
}

/**
 * A line on an act of a moderator; nothing, where that is not shown.
 *
 * @param {Texts} t
 * @param {Moderated} moderated
 */
export function moderatedLine(t, moderated) {
  const told = sentence(t, moderated);
  if (!told) return undefined;
  const made = marker("moderated", ...told);
  hush(made);
  return made;
}

/** @param {string} text of somebody else, who may write from right to left */
const apart = (text) => element("bdi", "", text);

/**
 * @param {string} locale
 * @param {number} seconds
 */
function span(locale, seconds) {
  const [length, unit] = UNITS.find(([each]) => seconds % each === 0) ?? [1, "second"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(seconds / length);
}
