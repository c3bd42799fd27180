/**
 * Tokens that say which user of a site a visitor is, as pages bring them.
 *
 *     …/rooms/lobby/#token=eyJ…      moved to the tab's sessionStorage, and out of the address
 *     data-token-url="/chat-token"   asked for there, each time that one is needed
 */

import { Kept } from "./livechat-outbox.js";

/** Milliseconds for the site to answer. */
const PATIENCE = 10_000;
/** Bytes of its answer. */
const LONGEST_ANSWER = 16_384;

const TAB = new Kept("sessionStorage");
/** Tells that a token came in the address of a page that is open already. */
const arrivals = new EventTarget();

/** @param {URL} server */
const nameOf = (server) => `livechat:token:${server.href}`;

/**
 * The token that came in the page's address.
 *
 * @param {URL} server
 */
export const keptToken = (server) => TAB.get(nameOf(server)) || undefined;

/** @param {URL} server */
export const dropToken = (server) => TAB.remove(nameOf(server));

/**
 * Move a token out of the page's address, now and whenever one comes into it.
 *
 * @param {URL} server whom it is for
 */
export function takeTokens(server) {
  take(server);
  globalThis.addEventListener("hashchange", () => {
    if (take(server)) arrivals.dispatchEvent(new Event(server.href));
  });
}

/**
 * @param {URL} server
 * @param {() => void} listener
 * @param {AbortSignal} over
 */
export function onArrival(server, listener, over) {
  arrivals.addEventListener(server.href, listener, { signal: over });
}

/** @param {URL} server */
function take(server) {
  const parts = new URLSearchParams(location.hash.slice(1));
  const token = parts.get("token");
  if (token === null) return false;
  parts.delete("token");
  const clean = new URL(location.href);
  clean.hash = String(parts);
  history.replaceState(history.state, "", clean);
  TAB.set(nameOf(server), token);
  return true;
}

/**
 * Ask the site for the visitor's token.
 *
 * @param {string} address
 * @returns {Promise<string>} it, or an empty text where nobody is signed in
 */
export async function fetchToken(address) {
  const answer = await fetch(new URL(address, document.baseURI), {
    cache: "no-store",
    credentials: "include",
    headers: { Accept: "application/json, text/plain" },
    redirect: "error",
    signal: AbortSignal.timeout(PATIENCE),
  });
  if ([204, 401, 403].includes(answer.status)) return "";
  if (!answer.ok) throw new Error(`The site's answer was ${answer.status}.`);
  const text = (await bounded(answer)).trim();
  return text.startsWith("{") ? (JSON.parse(text).token ?? "") : text;
}

/** @param {Response} answer */
async function bounded(answer) {
  const reader = answer.body?.getReader();
  const decoder = new TextDecoder();
  let [text, size] = ["", 0];
  for (let part; (part = await reader?.read()) && !part.done; ) {
    size += part.value.length;
    if (size > LONGEST_ANSWER) {
      void reader?.cancel();
      throw new Error("The site's answer is too long.");
    }
    text += decoder.decode(part.value, { stream: true });
  }
  return text;
}
