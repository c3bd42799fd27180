/**
 * The messages of a room: what was said before, what is said now, and what is still to be sent.
 *
 *     earlier messages, a page at a time, when one scrolls there
 *     --- a day, "new messages", "you missed 5 messages" ---
 *     messages, as they come
 *     what waits to be sent, and what could not be
 *
 * The elements are the only state that there is of it.  The log scrolls from its end (column-reverse),
 * so what is put before moves nothing; what is put behind moves nothing either, for one who reads
 * further up, because the distance to the end grows with it.
 *
 * @import { Chat, ChatError, Gap, Message, Queued } from "./livechat.js"
 */

import { avatar, isolated } from "./chat-people.js";
import { element, find } from "./dom.js";

/** Messages in a page, and of those that are kept for one who reads at the end. */
const PAGE = 50;
const MOST = 1_000;
/** Pixels from the end, or from the top, within which one is there. */
const NEAR = 60;
/** Milliseconds within which messages of the same person stand together. */
const TOGETHER = 300_000;
const LINK = /\bhttps?:\/\/[^\s<>"]+[^\s<>"'.,:;!?)\]]/g;

export class Messages {
  /** Is called with the text of a message that could not be sent, and shall be changed. */
  onEdit = (/** @type {string} */ _text) => {};

  #chat;
  #tellUnread;
  #log;
  #said;
  #waiting;
  #top;
  #earlier;
  #newer;
  #loading = false;
  #more = true;
  #unread = 0;

  /**
   * @param {ShadowRoot} root
   * @param {Chat} chat
   * @param {(unread: number) => void} tellUnread
   * @param {AbortSignal} over when the room has been left
   */
  constructor(root, chat, tellUnread, over) {
    this.#chat = chat;
    this.#tellUnread = tellUnread;
    this.#log = find(root, ".log");
    this.#said = find(root, ".said");
    this.#waiting = find(root, ".waiting");
    this.#top = find(root, ".top span");
    this.#earlier = find(root, ".earlier");
    this.#newer = find(root, ".newer");

    chat.addEventListener("state", ({ detail: { state } }) => {
      if (state === "open" && !this.#said.children.length) this.#loadEarlier();
      this.#showWaiting(chat.outbox);
    });
    chat.addEventListener("message", ({ detail }) => this.#add(detail));
    chat.addEventListener("gap", ({ detail }) => this.#gap(detail));
    chat.addEventListener("outbox", ({ detail }) => this.#showWaiting(detail));
    chat.addEventListener("refused", ({ detail }) => this.#failed(detail.message, detail.error));
    this.#showWaiting(chat.outbox);

    this.#earlier.addEventListener("click", () => this.#loadEarlier());
    this.#newer.addEventListener("click", () => {
      this.#toEnd();
      this.#log.focus();
    });
    this.#log.addEventListener("scroll", () => {
      this.#look();
      if (this.#isAtTop()) this.#loadEarlier();
    });
    document.addEventListener("visibilitychange", () => this.#look(), { signal: over });
  }

  /**
   * Send a message, and show what becomes of it.
   *
   * @param {string} message
   */
  send(message) {
    this.#chat.send(message).catch((error) => this.#failed(message, error));
    this.#toEnd();
  }

  #toEnd() {
    this.#log.scrollTop = 0;
    this.#look();
  }

  #isAtEnd() {
    return this.#log.scrollTop > -NEAR;
  }

  #isAtTop() {
    const { scrollHeight, clientHeight, scrollTop } = this.#log;
    return scrollHeight - clientHeight + scrollTop < NEAR;
  }

  /** @param {Message} message */
  #add(message) {
    const mine = message.user && message.user.id === this.#chat.user?.id;
    const seen = !document.hidden && this.#isAtEnd();
    if (!seen && !mine) {
      if (!this.#unread) this.#markUnread();
      this.#unread++;
    }
    this.#behind(() => {
      const made = line(message, Boolean(mine));
      this.#said.append(made);
      settle(made);
    });
    if (this.#said.children.length > (this.#isAtEnd() ? 1 : 5) * MOST) this.#forgetOldest();
    this.#look();
  }

  /**
   * Put something behind the messages, without moving those that are being read.
   *
   * @param {() => void} put
   */
  #behind(put) {
    const reading = !this.#isAtEnd();
    const before = this.#log.scrollHeight;
    put();
    if (reading) this.#log.scrollTop -= this.#log.scrollHeight - before;
  }

  /** @param {Gap} gap */
  #gap({ reason, missed }) {
    const text =
      reason === "trimmed"
        ? `You missed ${count(missed ?? 0, "message")}, which expired before you came back.`
        : "The room began anew while you were away. You may have missed messages.";
    this.#behind(() => this.#said.append(marker("gap", text)));
    // What is shown was numbered otherwise than what the server has.
    if (reason === "epoch") this.#setMore(false);
  }

  // What was said before.

  async #loadEarlier() {
    if (this.#loading || !this.#more || !this.#chat.place) return;
    this.#loading = true;
    this.#earlier.textContent = "Loading…";
    const { epoch, seq } = this.#chat.place;
    const oldest = this.#said.querySelector(".message");
    const before = oldest instanceof HTMLElement ? Number(oldest.dataset.seq) : seq + 1;
    try {
      const page = await this.#chat.history({ before, limit: PAGE });
      // Another room answers by now, as it were.
      if (page.epoch === epoch) this.#prepend(page.messages, page.more);
      this.#earlier.textContent = "Earlier messages";
    } catch {
      this.#earlier.textContent = "Earlier messages could not be loaded. Try again";
      return;
    } finally {
      this.#loading = false;
    }
    // What came may not fill the screen.
    if (this.#isAtTop()) this.#loadEarlier();
  }

  /**
   * @param {Message[]} messages
   * @param {boolean} more
   */
  #prepend(messages, more) {
    // A screen reader tells what is new, which this is not.
    this.#log.setAttribute("aria-live", "off");
    const me = this.#chat.user?.id;
    const made = messages.map((each) => line(each, each.user !== undefined && each.user.id === me));
    this.#said.prepend(...made);
    made.forEach(settle);
    const first = this.#said.querySelectorAll(".message")[made.length];
    if (first instanceof HTMLElement) settle(first);
    if (!this.#said.querySelector(".unread")) this.#markSinceLastTime(made);
    this.#setMore(more);
    this.#look();
    setTimeout(() => this.#log.removeAttribute("aria-live"), 100);
  }

  /** @param {boolean} more */
  #setMore(more) {
    const focused = this.#earlier.matches(":focus");
    this.#more = more;
    this.#earlier.hidden = !more;
    this.#top.hidden = more;
    if (focused && !more) this.#log.focus();
  }

  #forgetOldest() {
    while (this.#said.children.length > MOST) this.#said.firstElementChild?.remove();
    const first = this.#said.querySelector(".message");
    if (first instanceof HTMLElement) settle(first);
    if (!this.#said.querySelector(".gap")) this.#setMore(true);
  }

  // What one has not seen.

  /** See what there is to be seen. */
  #look() {
    if (!document.hidden && this.#isAtEnd()) {
      this.#unread = 0;
      this.#remember();
    }
    this.#newer.hidden = this.#isAtEnd() || !this.#unread;
    if (this.#unread) this.#newer.textContent = count(this.#unread, "new message");
    this.#tellUnread(this.#unread);
  }

  /** @param {Element | null} [before] */
  #markUnread(before = null) {
    this.#said.querySelector(".unread")?.remove();
    this.#said.insertBefore(marker("unread", "New messages"), before);
  }

  get #memory() {
    return `livechat:read:${this.#chat.room}`;
  }

  #remember() {
    const { epoch = "", seq = 0 } = this.#chat.place ?? {};
    try {
      if (seq) localStorage.setItem(this.#memory, `${epoch}:${seq}`);
    } catch {
      // The page may keep nothing.
    }
  }

  /**
   * Mark what was said since one was here last.
   *
   * @param {HTMLElement[]} made
   */
  #markSinceLastTime(made) {
    let seen = "";
    try {
      seen = localStorage.getItem(this.#memory) ?? "";
    } catch {
      return;
    }
    const [epoch, seq] = seen.split(":");
    if (epoch !== this.#chat.place?.epoch || !(Number(seq) < this.#chat.place.seq)) return;
    const first = made.find((each) => Number(each.dataset.seq) > Number(seq));
    const known = made.some((each) => Number(each.dataset.seq) <= Number(seq));
    if (first && known && !first.matches(".mine")) this.#markUnread(first);
  }

  // What is still to be sent.

  /** @param {readonly Queued[]} outbox */
  #showWaiting(outbox) {
    const shown = /** @type {HTMLElement[]} */ ([...this.#waiting.querySelectorAll("[data-nonce]")]);
    const nonces = new Set(outbox.map(({ nonce }) => nonce));
    const known = new Set(shown.map((each) => each.dataset.nonce));
    this.#behind(() => {
      for (const each of shown) if (!nonces.has(each.dataset.nonce ?? "")) each.remove();
      for (const { nonce, message } of outbox) {
        if (!known.has(nonce)) this.#waiting.append(this.#queued(nonce, message));
      }
      const open = this.#chat.state === "open";
      for (const each of this.#waiting.querySelectorAll("[data-nonce] small")) {
        each.textContent = open ? "Sending…" : "Waits for the connection";
      }
      for (const each of this.#waiting.querySelectorAll("[data-nonce] button")) {
        each.toggleAttribute("hidden", open);
      }
    });
  }

  /**
   * @param {string} nonce
   * @param {string} message
   */
  #queued(nonce, message) {
    const made = unsent(message, "", [["Do not send", () => this.#chat.discard(nonce)]]);
    made.dataset.nonce = nonce;
    return made;
  }

  /**
   * @param {string} message
   * @param {ChatError} error
   */
  #failed(message, error) {
    // Both were the visitor's wish.
    if (error.code === "discarded" || error.code === "closed") return;
    const made = unsent(message, `Not sent. ${error.message}`, [
      ["Edit", () => (made.remove(), this.onEdit(message))],
      ["Remove", () => made.remove()],
    ]);
    made.classList.add("failed");
    made.querySelector("small")?.setAttribute("role", "alert");
    this.#behind(() => this.#waiting.append(made));
  }
}

/**
 * @param {number} number
 * @param {string} what one of them
 */
function count(number, what) {
  return `${number.toLocaleString()} ${what}${number === 1 ? "" : "s"}`;
}

/**
 * @param {Message} message
 * @param {boolean} mine
 */
function line({ message, seq, time, user }, mine) {
  const name = element("b", "", mine ? "You" : isolated(user?.name ?? "Somebody"));
  const moment = new Date(time);
  const clock = moment.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
  const when = element("time", "", clock);
  when.dateTime = moment.toISOString();
  when.title = moment.toLocaleString();
  const kind = mine ? "message mine" : "message";
  const made = element("li", kind, avatar(user), name, words(message), when);
  made.dataset.seq = String(seq);
  made.dataset.time = String(time);
  made.dataset.user = user?.id ?? "";
  return made;
}

/**
 * A message's text, in which addresses are links.
 *
 * @param {string} message
 */
function words(message) {
  const made = element("p");
  made.dir = "auto";
  let end = 0;
  for (const { 0: address, index } of message.matchAll(LINK)) {
    const link = element("a", "", address);
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow ugc";
    made.append(message.slice(end, index), link);
    end = index + address.length;
  }
  made.append(message.slice(end));
  return made;
}

/**
 * Show a message together with the one before, or under its day.
 *
 * @param {HTMLElement} made
 */
function settle(made) {
  let previous = made.previousElementSibling;
  let apart = false;
  while (previous && !previous.matches(".message")) {
    const passed = previous;
    previous = previous.previousElementSibling;
    if (passed.matches(".day")) passed.remove();
    else apart = true;
  }
  const time = Number(made.dataset.time);
  const before = previous instanceof HTMLElement ? previous.dataset : undefined;
  const day = new Date(time).toDateString();
  if (!before || new Date(Number(before.time)).toDateString() !== day) {
    const text = new Date(time).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
    const separator = marker("day", text);
    if (previous) previous.after(separator);
    else made.parentElement?.prepend(separator);
    apart = true;
  }
  const together = before?.user === made.dataset.user && time - Number(before?.time) < TOGETHER;
  made.classList.toggle("more", together && !apart);
}

/**
 * @param {string} kind
 * @param {string} text
 */
function marker(kind, text) {
  return element("li", `marker ${kind}`, element("span", "", text));
}

/**
 * @param {string} message
 * @param {string} note
 * @param {[string, () => void][]} choices
 */
function unsent(message, note, choices) {
  const buttons = choices.map(([text, choose]) => {
    const button = element("button", "quiet", text);
    button.type = "button";
    button.addEventListener("click", choose);
    return button;
  });
  return element("li", "message mine unsent", words(message), element("small", "", note), ...buttons);
}
