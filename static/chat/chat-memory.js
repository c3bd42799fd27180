/** What the browser keeps of a visitor: the name, and in each room what was typed, could not be sent, and was seen. */

import { Kept } from "./livechat-outbox.js";

const NAME = "livechat:name";

/** The name by which this browser's visitor was known last. */
export const keptName = () => new Kept("localStorage").get(NAME) ?? "";

/** @param {string} name */
export const keepName = (name) => void new Kept("localStorage").set(NAME, name);

/** What is kept of a visitor, in a room. */
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

  /** @param {"draft" | "failed" | "seen"} what */
  #where(what) {
    return what === "seen" ? this.#browser : this.#tab;
  }

  /** @param {"draft" | "failed" | "seen"} what */
  read(what) {
    return this.#where(what).get(`livechat:${what}:${this.#room}`) ?? "";
  }

  /**
   * @param {"draft" | "failed" | "seen"} what
   * @param {string} text
   */
  write(what, text) {
    if (text !== this.read(what)) this.#where(what).set(`livechat:${what}:${this.#room}`, text);
  }

  /** Forget what was written: somebody else goes on. */
  forget() {
    this.write("draft", "");
    this.failed = [];
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
