/**
 * The head of a room: its title, its topic, and the message that is pinned there.
 *
 * A pinned message that is gone is not shown.
 *
 * @import { Settings } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { find } from "./dom.js";

export class Head {
  #t;
  #room;
  #chat;
  #title;
  #topic;
  #pinned;
  #quote;
  /** @type {number | undefined} */
  #seq;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {string} room
   * @param {(seq: number) => HTMLElement} quote
   */
  constructor(t, frame, room, quote) {
    this.#t = t;
    this.#room = room;
    this.#chat = find(frame, ".chat");
    this.#title = find(frame, "h1");
    this.#topic = find(frame, ".topic");
    this.#pinned = find(frame, ".pinned");
    this.#quote = quote;
    this.show({});
  }

  /** @param {Settings} settings */
  show({ title, topic = "", pinned }) {
    const name = title || this.#room;
    this.#title.textContent = name;
    this.#title.title = name;
    this.#chat.setAttribute("aria-label", this.#t("room.chat", { room: name }));
    this.#topic.textContent = topic;
    this.#topic.hidden = !topic;
    if (pinned !== this.#seq) this.#pin(pinned);
  }

  /** @param {number | undefined} seq */
  #pin(seq) {
    this.#seq = seq;
    this.#pinned.hidden = seq === undefined;
    this.#pinned.querySelector(".quote")?.remove();
    if (seq !== undefined) this.#pinned.append(this.#quote(seq));
  }

  /** The numbers are others': what is pinned is looked for again. */
  renew() {
    this.#pin(this.#seq);
  }
}
