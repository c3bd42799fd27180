/**
 * Why a visitor may not enter, or not write, and what there is to do: in words for people.
 *
 * @import { Chat, StateChange } from "./livechat.js"
 */

import { find, shape } from "./dom.js";

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
});
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
 */
export function showDoor(frame, { code = 0, reason }, known, again, asGuest) {
  frame.replaceChildren(shape(DOOR));
  const [problem, advice] = code === 4401 && !known ? UNKNOWN : REASONS[code];
  find(frame, ".error").textContent = problem;
  find(frame, ".advice").textContent = advice;
  const hint = find(frame, ".hint");
  hint.textContent = reason ? `The server says: ${reason}` : "";
  hint.hidden = !reason;
  find(frame, ".again").addEventListener("click", again);
  const guest = find(frame, ".guest");
  guest.hidden = !asGuest;
  if (asGuest) guest.addEventListener("click", asGuest);
}

/**
 * Why the visitor may not write here; nothing where that is allowed.
 *
 * @param {Chat} chat
 */
export function whyMute({ can, user }) {
  if (can.has("send")) return "";
  return user?.verified
    ? "You may read here, but not write. The people of this chat can change that."
    : "Guests may read here, but not write. To write, sign in on the site that this chat belongs to.";
}
