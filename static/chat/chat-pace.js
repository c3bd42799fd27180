/**
 * The pace of a room: in slow mode the send button counts down until the visitor may write again.
 *
 *     may write --wrote, or was put off by the server--> counts down --time, other settings--> may write
 *
 * @import { Aims } from "./chat-aims.js"
 * @import { Room } from "./chat-rest.js"
 * @import { Message } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { isSame } from "./chat-names.js";
import { find } from "./dom.js";

export class Pace {
  #t;
  #chat;
  #aims;
  #hint;
  /** The end of the wait, by a clock that cannot be set. */
  #until = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Room} room
   * @param {Aims} aims
   */
  constructor({ t, frame, chat, heard, over }, aims) {
    this.#t = t;
    this.#chat = chat;
    this.#aims = aims;
    this.#hint = find(frame, ".pace");
    heard.addEventListener("message", ({ detail }) => this.#hear(detail));
    heard.addEventListener("slow", ({ detail: { retryMs } }) => this.#wait(retryMs));
    for (const type of /** @type {const} */ (["settings", "rights"])) {
      heard.addEventListener(type, () => this.#look());
    }
    over.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Milliseconds between two messages of the visitor. */
  get #slow() {
    const { can, settings } = this.#chat;
    return can.has("moderate") ? 0 : 1_000 * (settings.slow || 0);
  }

  /** @param {Message} message */
  #hear({ user, time }) {
    if (!this.#slow || !isSame(user, this.#chat.user)) return;
    // The message may be old, or the device's clock may have been set meanwhile.
    const passed = this.#chat.now() - time;
    this.#wait(Math.min(this.#slow, this.#slow - passed));
  }

  /** @param {number} wait milliseconds */
  #wait(wait) {
    this.#until = Math.max(this.#until, performance.now() + wait);
    this.#tick();
  }

  #look() {
    if (!this.#slow) this.#until = 0;
    else this.#until = Math.min(this.#until, performance.now() + this.#slow);
    const text = this.#text();
    this.#hint.hidden = !text;
    this.#hint.textContent = text;
    this.#tick();
  }

  #text() {
    const { can, restriction, settings, user } = this.#chat;
    if (can.has("moderate")) return "";
    const all = settings.hold === "all" || (settings.hold === "guests" && !user?.verified);
    const held = all || restriction?.kind === "hold" ? this.#t("pace.held") : "";
    const slow = this.#slow ? this.#t("pace.slow", { time: span(this.#t, this.#slow) }) : "";
    return [slow, held].filter(Boolean).join(" ");
  }

  #tick() {
    clearTimeout(this.#timer);
    const left = this.#until - performance.now();
    this.#aims.wait(left > 0 ? span(this.#t, left) : "");
    // Until the next second begins.
    if (left > 0) this.#timer = setTimeout(() => this.#tick(), left % 1_000 || 1_000);
  }
}

/**
 * A time as the button says it.
 *
 * @param {Texts} t
 * @param {number} ms
 */
function span(t, ms) {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 100) return t("span.seconds", { count: seconds });
  if (seconds < 6_000) return t("span.minutes", { count: Math.ceil(seconds / 60) });
  return t("span.hours", { count: Math.ceil(seconds / 3_600) });
}
