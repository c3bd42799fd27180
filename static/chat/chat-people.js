/**
 * How many are in the room, and whether the list of them is shown; chat-roster.js fills it.
 *
 * @import { Presence, User } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { element, find } from "./dom.js";

export class People {
  #t;
  #chat;
  #scroller;
  #counts;
  #button;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   */
  constructor(t, frame) {
    this.#t = t;
    this.#chat = find(frame, ".chat");
    this.#scroller = find(frame, ".scroller");
    this.#counts = frame.querySelectorAll(".count");
    this.#button = find(frame, "button.count");
    this.#button.addEventListener("click", () => this.#show(!this.#chat.hasAttribute("data-roster")));
    this.#chat.addEventListener("keydown", ({ key }) => {
      if (key !== "Escape" || !this.#chat.hasAttribute("data-roster")) return;
      this.hide();
      this.#button.focus();
    });
    new ResizeObserver(() => this.#cover()).observe(this.#chat);
  }

  /** @param {boolean} shown */
  #show(shown) {
    this.#chat.toggleAttribute("data-roster", shown);
    this.#button.setAttribute("aria-expanded", String(shown));
    this.#cover();
  }

  /** Where there is room for it, the list is always there, and the button is not; else it covers the log. */
  #cover() {
    this.#scroller.inert = this.#chat.hasAttribute("data-roster") && this.#button.clientHeight > 0;
  }

  /** Hide the list of people where it covers what is said. */
  hide() {
    this.#show(false);
  }

  /** @param {Presence} presence */
  count({ users }) {
    const text = this.#t("people.count", { count: users });
    for (const each of this.#counts) each.textContent = text;
  }
}

/**
 * What stands for somebody beside the name: a letter, in a colour that is always the same.
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
