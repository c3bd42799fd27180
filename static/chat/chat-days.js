/**
 * Days of the log: their names, which change at midnight, and the way to any day.
 *
 * @import { Dialog } from "./chat-dialog.js"
 * @import { Room } from "./chat-rest.js"
 * @import { Chat } from "./livechat.js"
 */

import { endOfDay, nameDay } from "./chat-day.js";
import { textField } from "./chat-dialog.js";
import { find } from "./dom.js";

/** Messages that are looked at together, and how often, while a day is looked for. */
const PAGE = 20;
const LARGE_PAGE = 100;
const MOST_PAGES = 40;

/**
 * The number of the first message since a time; nothing, if there is none.
 *
 * @param {Pick<Chat, "history">} chat
 * @param {number} newest number
 * @param {number} since
 */
export async function firstSince(chat, newest, since) {
  let [before, end] = [0, newest];
  /** @type {{ seq: number, time: number } | undefined} */
  let found;
  for (let pages = 0; before < end && pages < MOST_PAGES; pages++) {
    const middle = Math.floor((before + end) / 2);
    let page = await chat.history({ after: middle, limit: PAGE });
    // All of these may have been taken back.
    for (; !page.messages.length && page.next?.after && page.next.after < end && pages < MOST_PAGES; pages++) {
      page = await chat.history({ after: page.next.after, limit: LARGE_PAGE });
    }
    const first = page.messages.findIndex(({ time }) => time >= since);
    if (first >= 0) found = page.messages[first];
    if (first > 0) return found;
    if (first < 0 && page.messages.length) before = page.messages[page.messages.length - 1].seq;
    else end = middle;
  }
  return found;
}

/** Names the days anew at midnight, and asks for a day to go to. */
export class Days {
  #t;
  #frame;
  #chat;
  #dialog;
  #jump;
  #tell;
  #timer = 0;

  /**
   * @param {Room} room
   * @param {Dialog} dialog
   * @param {(seq: number) => void} jump
   * @param {(text: (string | Node)[]) => void} tell
   */
  constructor({ t, frame, chat, over }, dialog, jump, tell) {
    this.#t = t;
    this.#frame = frame;
    this.#chat = chat;
    this.#dialog = dialog;
    this.#jump = jump;
    this.#tell = tell;
    find(frame, ".to-day").addEventListener("click", () => this.ask());
    // A device that sleeps has no midnight.
    document.addEventListener("visibilitychange", () => this.#name(), { signal: over });
    over.addEventListener("abort", () => clearTimeout(this.#timer));
    this.#name();
  }

  #name() {
    clearTimeout(this.#timer);
    const now = Date.now();
    this.#timer = Number(setTimeout(() => this.#name(), endOfDay(now) - now));
    for (const each of this.#frame.querySelectorAll(".day button")) {
      const text = nameDay(this.#t, Number(each instanceof HTMLElement && each.dataset.time));
      if (each.textContent !== text) each.textContent = text;
    }
  }

  /** Ask for a day, and go there. */
  async ask() {
    const t = this.#t;
    const field = textField("day", t("days.day"), 10);
    const input = find(field, "input", HTMLInputElement);
    input.type = "date";
    input.required = true;
    const form = await this.#dialog.ask([t("days.jump")], t("days.go"), field);
    const [year, month, day] = String(form?.get("day") ?? "").split("-").map(Number);
    if (day) await this.#go(new Date(year, month - 1, day).setFullYear(year));
  }

  /** @param {number} since */
  async #go(since) {
    const t = this.#t;
    if (!this.#chat.can.has("history")) return this.#tell([t("days.none")]);
    try {
      const found = await firstSince(this.#chat, this.#chat.place?.seq ?? 0, since);
      if (!found) return this.#tell([t("days.none")]);
      if (found.time >= endOfDay(since)) this.#tell([t("days.next", { day: nameDay(t, found.time) })]);
      this.#jump(found.seq);
    } catch {
      this.#tell([t("days.failed")]);
    }
  }
}
