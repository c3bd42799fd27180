/**
 * Acts of moderators, as lines of the log.
 *
 * @import { Moderated, User } from "./livechat.js"
 */

import { element } from "./dom.js";

const KINDS = /** @type {Record<string, string>} */ ({ operator: "An operator", key: "A program" });
const RESTRICTED = /** @type {Record<string, string>} */ ({
  mute: "muted", ban: "banned", hold: "lets messages be reviewed of",
});

/** In seconds; a time is told in the first that it is a multiple of. */
const UNITS = /** @type {[number, string][]} */ ([[86_400, "day"], [3_600, "hour"], [60, "minute"]]);

/**
 * The text of an act; nothing, if that is not shown.
 *
 * @param {Moderated} moderated
 * @returns {(string | Node)[] | undefined}
 */
export function sentence({ action, by }) {
  const { type, user, kind = "", seconds, reason, count, set, verdict } = /** @type {any} */ (action);
  const author = apart(by.name ?? by.user?.name ?? KINDS[by.kind] ?? "Somebody");
  const why = reason ? [": ", apart(reason)] : [];
  switch (type) {
    case "restrict":
      return [author, ` ${RESTRICTED[kind] ?? "restricted"} `, nameOf(user), seconds ? ` for ${span(seconds)}` : "", ...why];
    case "pardon":
      return [author, " pardoned ", nameOf(user)];
    case "retract":
      return [author, count > 1 ? ` removed ${count} messages of ` : " removed a message of ", nameOf(user)];
    case "clear":
      return [author, " cleared the room"];
    case "room":
      return [author, ` changed the room: ${Object.keys(set ?? {}).join(", ")}`];
    case "review":
      return [author, ` ${verdict === "close" ? "closed a report" : `${verdict === "approve" ? "approved" : "rejected"} a message`}`, ...why];
    default:
      return undefined;
  }
}

/** @param {string} text of somebody else, who may write from right to left */
const apart = (text) => element("bdi", "", text);

/** @param {User | undefined} user */
const nameOf = (user) => apart(user?.name ?? "somebody");

/** @param {number} seconds */
function span(seconds) {
  const [length, unit] = UNITS.find(([each]) => seconds % each === 0) ?? [1, "second"];
  const count = seconds / length;
  return `${count.toLocaleString("en")} ${unit}${count === 1 ? "" : "s"}`;
}
