/**
 * The head of a room: its title, its topic, and the message that is pinned there.
 *
 * A pinned message that is gone is not shown.
 *
 * @import { Room } from "./chat-rest.js"
 * @import { Settings } from "./livechat.js"
 */

import { find } from "./dom.js";

export class Head {
  #t;
  #called;
  #chat;
  #title;
  #topic;
  #pinned;
  #quote;
  /** @type {number | undefined} */
  #seq;

  /** @param {Room} room */
  constructor({ t, frame, chat, heard, called, messages }) {
    this.#t = t;
    this.#called = called;
    this.#chat = find(frame, ".chat");
    this.#title = find(frame, "h1");
    this.#topic = find(frame, ".topic");
    this.#pinned = find(frame, ".pinned");
    this.#quote = (/** @type {number} */ seq) => messages.lines.quote(seq, "quote.pinned");
    this.#show(chat.settings);
    heard.addEventListener("settings", ({ detail }) => this.#show(detail));
    // The pinned message is looked for again where numbers are others'.
    heard.addEventListener("gap", ({ detail: { reason } }) => reason === "epoch" && this.#pin(this.#seq));
  }

  /** @param {Settings} settings */
  #show({ title, topic = "", pinned }) {
    const name = title || this.#called;
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
}
