/**
 * Why a visitor may not enter, or not write, and what there is to do: in words for people.
 *
 * @import { Chat, StateChange } from "./livechat.js"
 */

import { element, find, shape } from "./dom.js";

const DOOR = `
  <div class="join door">
    <p class="error" role="alert"></p>
    <p class="advice"></p>
    <p class="hint" dir="auto" hidden></p>
    <div>
      <button class="again" type="button">Try again</button>
      <button class="quiet guest" type="button">Enter as a guest</button>
    </div>
  </div>`;

/** Why, and what to do, by close code. */
const REASONS = /** @type {Record<number, [string, string]>} */ ({
  4100: ["Your sign-in is over.", "Sign in again on the site that this chat belongs to, and come back from there."],
  4101: [
    "Your sign-in was withdrawn.",
    "If you think that this is a mistake, ask the people of the site that this chat belongs to.",
  ],
  4401: [
    "This chat does not know your sign-in.",
    "Sign in again on the site that this chat belongs to, and come back from there.",
  ],
  4403: ["You may not enter this room.", "If you think that this is a mistake, ask the people of this chat."],
  4404: ["This room is closed.", "It may be open again later."],
});
/** As the server says it. */
const BANNED = /^You are banned(?: until (\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC)?(?:: (.*)|\.?)$/s;
const UNKNOWN = /** @type {const} */ ([
  "This room is for people who are signed in.",
  "Sign in on the site that this chat belongs to, and come back from there.",
]);

/**
 * True if this is about the visitor's identity, and not about the name.
 *
 * @param {StateChange} change
 */
export const isAtDoor = ({ code }) => code !== undefined && code in REASONS;

/**
 * Say why the visitor may not enter.
 *
 * @param {HTMLElement} frame
 * @param {StateChange} change
 * @param {boolean} known whether there was a token
 * @param {() => void} again
 * @param {(() => void) | undefined} asGuest where that may be tried instead
 * @param {number} now by the server's clock
 */
export function showDoor(frame, { code = 0, reason = "" }, known, again, asGuest, now) {
  frame.replaceChildren(shape(DOOR));
  const [problem, advice] = code === 4401 && !known ? UNKNOWN : REASONS[code];
  const ban = code === 4403 && BANNED.exec(reason);
  const until = ban && ban[1] ? Date.parse(`${ban[1]}T${ban[2]}Z`) : undefined;
  find(frame, ".error").textContent = ban ? `You are banned${upTo(until, now)}.` : problem;
  find(frame, ".advice").textContent = advice;
  const hint = find(frame, ".hint");
  // That it is closed has been said.
  const said = ban ? ban[3] : code === 4404 ? "" : reason;
  hint.replaceChildren(ban ? "The reason: " : "The server says: ", element("bdi", "", said ?? ""));
  hint.hidden = !said;
  find(frame, ".again").addEventListener("click", again);
  const guest = find(frame, ".guest");
  guest.hidden = !asGuest;
  if (asGuest) guest.addEventListener("click", asGuest);
}

/**
 * Why the visitor may not write here, and the reason of whoever has decided that; nothing where it is allowed.
 *
 * @param {Chat} chat
 * @returns {[why: string, reason?: string]}
 */
export function whyMute(chat) {
  const { can, restriction, settings, user } = chat;
  if (can.has("send")) return [""];
  if (restriction && restriction.kind !== "hold") {
    const { kind, reason, until } = restriction;
    const why = `You are ${kind === "ban" ? "banned" : "muted"}${upTo(until, chat.now())}`;
    return reason ? [`${why}: `, reason] : [`${why}.`];
  }
  if (settings.closed) return ["This room is closed."];
  if (settings.members) return ["Only members may write here."];
  return user?.verified
    ? ["You may read here, but not write. The people of this chat can change that."]
    : ["Guests may read here, but not write. To write, sign in on the site that this chat belongs to."];
}

/**
 * Until when something holds, in the time of this place; nothing where it has no end.
 *
 * @param {number | undefined} until
 * @param {number} now by the server's clock
 */
function upTo(until, now) {
  if (until === undefined) return "";
  const [end, today] = [new Date(until), new Date(now)];
  const time = end.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
  if (end.toDateString() === today.toDateString()) return ` until ${time}`;
  const year = end.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return ` until ${end.toLocaleDateString([], { day: "numeric", month: "long", year })}, ${time}`;
}
