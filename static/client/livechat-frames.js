/**
 * The server's frames, in this library's terms.
 *
 * @import { Presence, User } from "./livechat.js"
 */

/** Users of a room beyond which the server tells only how many there are. */
const MANY = 100;

/**
 * The presence after a frame.
 *
 * @param {Presence} before
 * @param {any} frame
 * @returns {Presence}
 */
export function changed({ users, members }, { type, user, ...now }) {
  if (type === "presence") return { users: now.users, members: now.members ?? [] };
  if (type === "renamed") return { users, members: members.map((each) => (isSame(each, user) ? user : each)) };
  const others = members.filter((each) => !isSame(each, user));
  // If the list is not complete, a user may count without being listed.
  const known = others.length < members.length || (type === "left" && members.length < users);
  const change = type === "joined" ? Number(!known) : -Number(known);
  return { users: users + change, members: type === "joined" ? [...others, user] : others };
}

/**
 * Tell if the members must be asked for, as the room is no longer large.
 *
 * @param {Presence} before
 * @param {any} frame
 */
export function isSmallAgain(before, { type, users, members }) {
  return type === "presence" && before.users > MANY && users <= MANY && !members;
}

/**
 * True if two are the same user: an id alone does not say so, because a site's users may choose theirs.
 *
 * @param {User | null | undefined} one
 * @param {User | null | undefined} other
 */
export function isSame(one, other) {
  return Boolean(one && other) && one?.id === other?.id && !one?.verified === !other?.verified;
}

/**
 * A message, or what is about one, as it is called here.
 *
 * @param {any} frame
 */
export function said({ type, reply_to: replyTo, ...rest }) {
  return { ...rest, ...(replyTo && { replyTo }) };
}

/**
 * A moment in milliseconds, if there is one.
 *
 * @param {string} name
 * @param {number | undefined} seconds
 */
export function inMs(name, seconds) {
  return seconds === undefined ? {} : { [name]: 1_000 * seconds };
}

/**
 * A text that can be sent: half a surrogate pair could not be, and is none.
 *
 * @param {unknown} text
 */
export function whole(text) {
  return String(text).replace(/\p{Surrogate}/gu, "\ufffd");
}
