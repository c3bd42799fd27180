/**
 * The chat as an element of its own:
 *
 *     <livechat-room server="https://chat.example.org:10443" room="lobby" name="Ann"></livechat-room>
 *
 * The attributes are those of `<div data-livechat>` without `data-`, with `room` in place of `data-livechat`; their
 * changes have the same effects. The property `token` may be a function that gives the visitor's token, as of `mount`.
 */

import { ATTRIBUTES, Place } from "./chat-place.js";

// A server that renders pages has no elements, and may import this all the same.
const Base = globalThis.HTMLElement ?? class {};

export class LivechatRoom extends Base {
  static observedAttributes = ATTRIBUTES;

  /** @type {Place | undefined} */
  #place;
  /** @type {(() => string | Promise<string>) | undefined} */
  #token;
  #waiting = false;

  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token;
    this.#place?.stop();
    this.#look();
  }

  connectedCallback() {
    // A page that has set it before this was loaded has set it past the accessor.
    const own = Object.getOwnPropertyDescriptor(this, "token");
    if (own) {
      delete (/** @type {{ token?: unknown }} */ (this).token);
      this.#token = own.value;
    }
    this.#look();
  }

  disconnectedCallback() {
    this.#look();
  }

  attributeChangedCallback() {
    this.#look();
  }

  /** Once for all that changes together; an element that is moved stays in its room. */
  #look() {
    if (this.#waiting) return;
    this.#waiting = true;
    queueMicrotask(() => {
      this.#waiting = false;
      if (!this.isConnected) {
        this.#place?.stop();
        return;
      }
      this.#place ??= new Place(this);
      this.#place.follow((name) => this.getAttribute(name), this.#token && { token: this.#token });
    });
  }
}

// By another copy of this, whichever comes first, it may be there already.
if (globalThis.customElements && !customElements.get("livechat-room")) {
  customElements.define("livechat-room", LivechatRoom);
}
