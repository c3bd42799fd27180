/**
 * An element of a page that has the chat: its shadow tree, and what the page hears of it.
 *
 *     livechat:join     { room, user }      the visitor is in the room
 *     livechat:message  as the library has it, each message once
 *     livechat:unread   { count }           messages that were not seen yet, whenever that changes
 *     livechat:error    { code, reason }    the visitor was turned away, or something was refused
 *
 * An element has one chat. Whoever mounts a second one there, by another copy of this module too, ends the first.
 *
 * @import { Launcher } from "./chat-launcher.js"
 * @import { Chat } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { element, find, shape } from "./dom.js";

/** The property in which an element keeps its chat, for all copies of this module. */
const HELD = Symbol.for("livechat.host");
/** Close codes of a chat that waits for somebody to do something. */
const STUCK = [4100, 4403];

/**
 * @typedef {object} Look
 * @property {"light" | "dark" | string} [theme] unless said, the page's `color-scheme` counts
 * @property {string} [without] parts that are left out, with blanks between: `header`, `roster`, `composer`
 */

export class Host {
  #element;
  /** @type {Launcher | undefined} */
  #launcher;
  #count = 0;
  #over = new AbortController();
  /** Aborted when another chat takes the element, or the chat ends. */
  over = this.#over.signal;

  /** @param {HTMLElement} element whose chat, if it has one, ends */
  constructor(element) {
    this.#element = element;
    held(element)?.close();
    hold(element, this);
  }

  /** False once another chat has the element. */
  get isHere() {
    return held(this.#element) === this;
  }

  /**
   * Make the shadow tree.
   *
   * @param {Texts} t
   * @param {CSSStyleSheet[]} styles
   * @param {Look} look
   * @param {(root: ShadowRoot) => Launcher} [launch] puts the frame behind a button
   * @returns {HTMLElement} the frame in which the chat is
   */
  open(t, styles, look, launch) {
    const root = this.#element.shadowRoot ?? this.#element.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = styles;
    if (launch) this.#launcher = launch(root);
    else root.replaceChildren(shape('<div class="frame"></div>'));
    const [outer] = root.children;
    if (outer instanceof HTMLElement) [outer.lang, outer.dir] = [t.locale, t.direction];
    this.look(look);
    return find(root, ".frame");
  }

  /** @param {Look} look */
  look({ theme = "", without = "" }) {
    const root = this.#element.shadowRoot;
    if (!root || !this.isHere) return;
    for (const each of root.children) if (each instanceof HTMLElement) each.dataset.theme = theme;
    const frame = root.querySelector(".frame");
    if (frame instanceof HTMLElement) frame.dataset.without = without;
  }

  /** @param {CSSStyleSheet[]} styles of what comes later */
  adopt(styles) {
    const root = this.#element.shadowRoot;
    if (!root || !this.isHere) return;
    const more = styles.filter((each) => !root.adoptedStyleSheets.includes(each));
    root.adoptedStyleSheets.push(...more);
  }

  /** Show the page's own content of the element again. */
  close() {
    if (!this.isHere) return;
    hold(this.#element, undefined);
    this.#over.abort();
    this.unread(0);
    const root = this.#element.shadowRoot;
    if (!root) return;
    root.adoptedStyleSheets = [];
    root.replaceChildren(element("slot"));
  }

  /**
   * Tell the page what happens in a room.
   *
   * @param {Chat} chat
   * @param {() => boolean} isGuest whether the visitor is about to come as a guest, which is no error
   */
  follow(chat, isGuest) {
    let joined = false;
    chat.addEventListener("state", ({ detail: { state, code = 0, reason = "" } }) => {
      if (state === "open" && !joined) this.tell("join", { room: chat.room, user: chat.user });
      joined ||= state === "open";
      const refused = state === "closed" && code !== 1000;
      const stuck = state === "waiting" && STUCK.includes(code) && !isGuest();
      if (refused || stuck) this.tell("error", { code, reason });
    });
    chat.addEventListener("message", ({ detail }) => this.tell("message", detail));
    chat.addEventListener("error", ({ detail: { code, detail } }) => this.tell("error", { code, reason: detail }));
    chat.addEventListener("refused", ({ detail: { error } }) => {
      this.tell("error", { code: error.code, reason: error.message });
    });
  }

  /** @param {number} count */
  unread(count) {
    if (count === this.#count) return;
    this.#count = count;
    this.#launcher?.count(count);
    this.tell("unread", { count });
  }

  /**
   * @param {"join" | "message" | "unread" | "error"} type
   * @param {object} detail
   */
  tell(type, detail) {
    tell(this.#element, type, detail);
  }
}

/**
 * @param {HTMLElement} element
 * @param {string} type
 * @param {object} detail
 */
export function tell(element, type, detail) {
  element.dispatchEvent(new CustomEvent(`livechat:${type}`, { bubbles: true, composed: true, detail }));
}

/**
 * @param {any} element
 * @returns {Host | undefined}
 */
const held = (element) => element[HELD];

/**
 * @param {any} element
 * @param {Host | undefined} host
 */
function hold(element, host) {
  element[HELD] = host;
}
