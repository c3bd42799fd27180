/**
 * Errors in words for people.
 *
 * @import { ChatError } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

/**
 * An error in the catalogue's words; a code without any has the server's, which are English.
 *
 * @param {Texts} t
 * @param {Pick<ChatError, "code" | "message" | "reason">} error
 */
export function problemOf(t, { code, message, reason = "" }) {
  // Until when these hold is shown elsewhere.
  const key = code === "muted" || code === "banned" ? code : `problem.${code}`;
  if (!t.has(key)) return message;
  if (reason) return t("because", { text: t(key), reason });
  return BARE.includes(key) ? t("sentence", { text: t(key) }) : t(key);
}

/** Texts behind which a moderator's own words may stand. */
const BARE = ["muted", "banned", "problem.rejected"];
