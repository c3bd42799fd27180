/**
 * Tokens that say which user of a site a visitor is, as pages bring them.
 *
 *     …/rooms/lobby/#token=eyJ…      moved to the tab's sessionStorage, and out of the address
 *     data-token-url="/chat-token"   asked for there, each time that one is needed
 */

import { Kept } from "./livechat-outbox.js";

/** Milliseconds for the site to answer. */
const PATIENCE = 10_000;
/** Milliseconds in which an answer counts for the other chats of the page. */
const NEWS = 5_000;
/** Bytes of its answer. */
const LONGEST_ANSWER = 16_384;

/** @type {Map<string, Promise<string>>} what sites have just said, by address */
const answers = new Map();
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
 * A function that asks the site for the visitor's token. Of several chats of a page one asks, at about the same time.
 *
 * @param {string} address
 * @returns {() => Promise<string>} each answer once; an empty text where nobody is signed in
 */
export function tokenSource(address) {
  const { href } = new URL(address, document.baseURI);
  /** @type {Promise<string> | undefined} the answer that this chat has had */
  let had;
  return () => {
    const heard = answers.get(href);
    if (heard && heard !== had) return (had = heard);
    const answer = (had = fetchToken(href));
    const forget = () => void (answers.get(href) === answer && answers.delete(href));
    answers.set(href, answer);
    answer.then(() => setTimeout(forget, NEWS), forget);
    return answer;
  };
}

/** @param {string} address */
async function fetchToken(address) {
  const answer = await fetch(address, {
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
