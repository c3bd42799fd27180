/**
 * The number of people in the room; chat-roster.js has the list.
 *
 * @import { Presence, User } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { element } from "./dom.js";

export class People {
  /** Hides the list of people where it covers what is said. */
  hide = () => {};
  #t;
  #counts;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   */
  constructor(t, frame) {
    this.#t = t;
    this.#counts = frame.querySelectorAll(".count");
  }

  /** @param {Presence} presence */
  count({ users }) {
    const text = this.#t("people.count", { count: users });
    for (const each of this.#counts) each.textContent = text;
  }
}

/**
 * A user's avatar beside the name: a letter, in a colour that is always the same.
 *
 * @param {User | undefined} user
 */
export function avatar(user) {
  const made = element("span", "avatar", [...(user?.name.trim() ?? "")].at(0)?.toUpperCase() ?? "?");
  made.setAttribute("aria-hidden", "true");
  const hue = [...(user?.id ?? "")].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) % 360, 0);
  made.style.setProperty("--hue", String(hue));
  return made;
}
