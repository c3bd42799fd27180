/** The rooms that this browser's visitor was in last, the newest first. Nobody else is told. */

import { Kept } from "./livechat-outbox.js";

/** @typedef {{ room: string, title?: string, called?: string }} Visited what it is called, by itself or by a link */

const NAME = "livechat:visited";
const MOST = 8;

/** @returns {Visited[]} */
export function visited() {
  try {
    const found = JSON.parse(new Kept("localStorage").get(NAME) ?? "[]");
    return found.filter((/** @type {Visited} */ { room }) => typeof room === "string").slice(0, MOST);
  } catch {
    // Something else has written there.
    return [];
  }
}

/** @param {Visited} now */
export function visit(now) {
  const others = visited().filter(({ room }) => room !== now.room);
  new Kept("localStorage").set(NAME, JSON.stringify([now, ...others].slice(0, MOST)));
}

export const forgetVisited = () => new Kept("localStorage").remove(NAME);

/**
 * The way to a room, with what a link calls it, where it has no title.
 *
 * @param {URL | string} server
 * @param {Visited} visited
 */
export function addressOf(server, { room, title, called }) {
  const url = new URL(`rooms/${encodeURIComponent(room)}/`, server);
  if (called && !title) url.searchParams.set("title", called);
  return url;
}
