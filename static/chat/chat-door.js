/**
 * Why a visitor may not enter, or not write, and what there is to do: in words for people.
 *
 * @import { Chat, StateChange } from "./livechat.js"
 * @import { Key, Texts } from "./texts.js"
 */

import { DOOR, MISNAMED } from "./chat-furniture.js";
import { tell } from "./chat-host.js";
import { element, find, shape } from "./dom.js";
import { fill } from "./texts.js";

/** Why, and what to do, by close code. */
const REASONS = /** @type {Record<number, [Key, Key]>} */ ({
  4100: ["door.over", "door.sign-in"],
  4101: ["door.revoked", "door.ask-site"],
  4401: ["door.unknown", "door.sign-in"],
  4403: ["door.forbidden", "door.ask-chat"],
  4404: ["door.closed", "door.later"],
});
/** As the server says it. */
const BANNED = /^You are banned(?: until (\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC)?(?:: (.*)|\.?)$/s;
const UNKNOWN = /** @type {const} */ (["door.members", "door.sign-in-first"]);

/**
 * Say why the visitor may not enter.
 *
 * @param {Texts} t
 * @param {HTMLElement} frame
 * @param {StateChange} change
 * @param {boolean} known whether there was a token
 * @param {() => void} again
 * @param {(() => void) | undefined} asGuest where that may be tried instead
 * @param {number} now by the server's clock
 */
export function showDoor(t, frame, { code = 0, reason = "" }, known, again, asGuest, now) {
  frame.replaceChildren(fill(t, shape(DOOR)));
  const [problem, advice] = code === 4401 && !known ? UNKNOWN : REASONS[code];
  const ban = code === 4403 && BANNED.exec(reason);
  const until = ban && ban[1] ? Date.parse(`${ban[1]}T${ban[2]}Z`) : undefined;
  find(frame, ".error").textContent = ban ? t("sentence", { text: restricted(t, "banned", until, now) }) : t(problem);
  find(frame, ".advice").textContent = t(advice);
  const hint = find(frame, ".hint");
  // The error says that the room is closed (4404), so the reason would repeat it.
  const said = ban ? ban[3] : code === 4404 ? "" : reason;
  hint.replaceChildren(...t.nodes(ban ? "door.reason" : "door.server", { reason: element("bdi", "", said ?? "") }));
  hint.hidden = !said;
  find(frame, ".again").addEventListener("click", again);
  const guest = find(frame, ".guest");
  guest.hidden = !asGuest;
  if (asGuest) guest.addEventListener("click", asGuest);
}

/**
 * Why the visitor may not write here, and the reason of whoever has decided that; nothing where it is allowed.
 *
 * @param {Texts} t
 * @param {Chat} chat
 * @returns {[why: string, reason?: string]}
 */
export function whyMute(t, chat) {
  const { can, restriction, settings, user } = chat;
  if (can.has("send")) return [""];
  if (restriction && restriction.kind !== "hold") {
    const { kind, reason, until } = restriction;
    const text = restricted(t, kind === "ban" ? "banned" : "muted", until, chat.now());
    return reason ? [t("because", { text, reason: "" }), reason] : [t("sentence", { text })];
  }
  if (settings.closed) return [t("door.closed")];
  if (settings.members) return [t("barred.members")];
  return [t(user?.verified ? "barred.user" : "barred.guest")];
}

/**
 * A restriction in words, with its end in the time of this place, where it has an end.
 *
 * @param {Texts} t
 * @param {"banned" | "muted"} kind
 * @param {number | undefined} until
 * @param {number} now by the server's clock
 */
function restricted(t, kind, until, now) {
  if (until === undefined) return t(kind);
  const [end, today] = [new Date(until), new Date(now)];
  if (end.toDateString() === today.toDateString()) return t(`${kind}.until`, { time: t.time(until) });
  return t(`${kind}.until`, { time: t.date(until, { dateStyle: "long", timeStyle: "short" }) });
}

/**
 * Say that a room cannot have this name, and that the page is at fault, to visitors and to its author.
 *
 * @param {Texts} t
 * @param {HTMLElement} frame
 * @param {string} room
 */
export function showMisnamed(t, frame, room) {
  frame.replaceChildren(fill(t, shape(MISNAMED)));
  find(frame, ".hint").replaceChildren(...t.nodes("entrance.misnamed", { room: element("bdi", "", room.slice(0, 128)) }));
  const reason = "A room’s name has 1 to 128 characters of A-Z a-z 0-9 . _ ~ - and is not . or ..";
  console.error(`livechat: ${JSON.stringify(room)} is no room's name. ${reason}`);
  const { host } = /** @type {ShadowRoot} */ (frame.getRootNode());
  if (host instanceof HTMLElement) tell(host, "error", { code: "bad_room", reason });
}
