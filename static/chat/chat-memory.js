/** The browser's memory of a visitor: the name, and in each room the draft, failed messages, and how far the visitor has read. */

import { Kept } from "./livechat-outbox.js";

/** @typedef {"draft" | "failed" | "seen" | "user"} What */

const NAME = "livechat:name";
/** As the library names the visitor's key at a server. */
const KEY = "livechat:key:";
/** Tells the chats of a page of a visitor's name. */
const told = new EventTarget();

/** The name by which this browser's visitor was known last. */
export const keptName = () => new Kept("localStorage").get(NAME) ?? "";

/**
 * The visitor's key at a server, if the browser has one.
 *
 * @param {string} server
 */
export const knownKey = (server) => new Kept("localStorage").get(KEY + server) ?? new Kept("sessionStorage").get(KEY + server);

/** @param {string} name */
export function keepName(name) {
  new Kept("localStorage").set(NAME, name);
  told.dispatchEvent(new CustomEvent("name", { detail: name }));
}

/**
 * Hear of the visitor's name, when it is given to any chat of the page.
 *
 * @param {(name: string) => void} listener
 * @param {AbortSignal} over
 */
export function onName(listener, over) {
  told.addEventListener("name", (event) => listener(/** @type {CustomEvent} */ (event).detail), { signal: over });
}

/** The memory of a visitor in a room. */
export class Memory {
  #browser = new Kept("localStorage");
  #tab = new Kept("sessionStorage");
  #room;

  /**
   * @param {URL} url
   * @param {string} room
   */
  constructor(url, room) {
    this.#room = JSON.stringify([url.href, room]);
  }

  /** @param {What} what */
  #where(what) {
    return what === "seen" ? this.#browser : this.#tab;
  }

  /** @param {What} what */
  read(what) {
    return this.#where(what).get(`livechat:${what}:${this.#room}`) ?? "";
  }

  /**
   * @param {What} what
   * @param {string} text
   */
  write(what, text) {
    if (text !== this.read(what)) this.#where(what).set(`livechat:${what}:${this.#room}`, text);
  }

  /**
   * Forget what another user of the site has written in this tab.
   *
   * @param {string} user the id of the present one; empty for a guest
   * @returns {boolean} whether there was another one
   */
  introduce(user) {
    const before = this.read("user");
    this.write("user", user);
    if (!before || before === user) return false;
    this.write("draft", "");
    this.failed = [];
    return true;
  }

  /** @returns {import("./chat-unsent.js").Failed[]} what could not be sent, and why */
  get failed() {
    try {
      return JSON.parse(this.read("failed"));
    } catch {
      return [];
    }
  }

  set failed(failed) {
    this.write("failed", JSON.stringify(failed));
  }
}
