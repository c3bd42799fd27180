/**
 * The messages of a room: what was said before, what is said now, and what is still to be sent.
 *
 *     earlier messages, a page at a time, when one scrolls there
 *     --- a day, "new messages", "you missed 5 messages" ---
 *     messages, as they come
 *     what waits to be sent, and what could not be
 *
 * The elements are the only state that there is of it.  What happens is shown once a frame, because
 * each look at where things are makes the browser lay them out.
 *
 * The log scrolls from its end (column-reverse), so what is put before moves nothing; what is put
 * behind moves nothing either, for one who reads further up, because the distance to the end grows
 * with it.  No more than `MOST` lines are kept: for one who reads at the end the oldest go, and for one
 * who reads further up the newest, and then the end is loaded anew when one goes there.
 *
 * @import { Names } from "./chat-names.js"
 * @import { Chat, ChatError, Gap, Message, Queued } from "./livechat.js"
 */

import { Folds } from "./chat-folds.js";
import { line, marker, settle, unsent } from "./chat-line.js";
import { find } from "./dom.js";
import { Kept } from "./livechat-outbox.js";

/** Messages in a page of history. */
const PAGE = 50;
/** Lines that are kept while one reads at the end, and further up. */
const MOST_AT_END = 1_000;
const MOST = 3_000;
/** Pixels from the end, or from the top, within which one is there. */
const NEAR = 60;
/** Milliseconds after which what was put before is no longer news to a screen reader. */
const QUIET = 200;

export class Messages {
  #chat;
  #composer;
  #tellUnread;
  #frame;
  #folds;
  #names;
  #scroller;
  #log;
  #said;
  #waiting;
  #top;
  #earlier;
  #newer;
  /** @type {(Message | Gap)[]} what is to be shown with the next frame */
  #news = [];
  #drawing = false;
  #loading = false;
  #more = true;
  /** Whether the newest messages are not among those that are shown. */
  #cut = false;
  /** How often what was shown was dropped. */
  #dropped = 0;
  /** Whether the log is in the window, and in a part of the page that is shown. */
  #shown = false;
  #unread = 0;
  #quiet = 0;
  #kept;
  /** What was seen when one was here last. */
  #seen;

  /**
   * @param {HTMLElement} frame
   * @param {Chat} chat
   * @param {import("./chat.js").Composer} composer
   * @param {import("./chat.js").Memory} memory
   * @param {Names} names
   * @param {(unread: number) => void} tellUnread
   * @param {AbortSignal} over when the room has been left
   */
  constructor(frame, chat, composer, memory, names, tellUnread, over) {
    this.#frame = frame;
    this.#chat = chat;
    this.#composer = composer;
    this.#kept = memory;
    this.#tellUnread = tellUnread;
    this.#names = names;
    this.#scroller = find(frame, ".scroller");
    this.#folds = new Folds(this.#scroller, over);
    this.#log = find(frame, "[role=log]");
    this.#said = find(frame, ".said");
    this.#waiting = find(frame, ".waiting");
    this.#top = find(frame, ".top span");
    this.#earlier = find(frame, ".earlier");
    this.#newer = find(frame, ".newer");
    this.#seen = memory.read("seen");

    chat.addEventListener("state", ({ detail: { state } }) => {
      if (state === "open" && !this.#said.children.length) this.#loadEarlier();
      this.#draw();
    });
    chat.addEventListener("message", ({ detail }) => this.#hear(detail));
    chat.addEventListener("gap", ({ detail }) => this.#hear(detail));
    chat.addEventListener("outbox", () => this.#draw());
    chat.addEventListener("refused", ({ detail }) => this.#fail(detail.message, detail.error));
    for (const { message, problem } of memory.failed) this.#showFailed(message, problem);
    this.#showWaiting();

    this.#earlier.addEventListener("click", () => this.#loadEarlier());
    this.#newer.addEventListener("click", () => {
      this.#toEnd();
      this.#scroller.focus();
    });
    const look = () => {
      this.#look();
      if (this.#isAtTop()) this.#loadEarlier();
    };
    this.#scroller.addEventListener("scroll", look);
    document.addEventListener("visibilitychange", () => this.#update(), { signal: over });
    const window = new IntersectionObserver((entries) => {
      this.#shown = entries[entries.length - 1].isIntersecting;
      look();
    });
    window.observe(this.#scroller);
    over.addEventListener("abort", () => window.disconnect());
  }

  /**
   * Send a message, and show what becomes of it.
   *
   * @param {string} message
   */
  send(message) {
    this.#chat.send(message).catch((error) => this.#fail(message, error));
    this.#toEnd();
  }

  #toEnd() {
    if (this.#cut) this.#anew();
    this.#scroller.scrollTop = 0;
    this.#update();
  }

  #isAtEnd() {
    return this.#scroller.scrollTop > -NEAR && !this.#cut;
  }

  #isAtTop() {
    const { clientHeight, scrollHeight, scrollTop } = this.#scroller;
    return this.#shown && scrollHeight - clientHeight + scrollTop < NEAR;
  }

  /** Whether somebody sees the end; the list of people covers it where there is no room for both. */
  #isSeen() {
    return this.#shown && this.#isAtEnd() && !document.hidden && !this.#scroller.inert;
  }

  // What is said now.

  /** @param {Message | Gap} news */
  #hear(news) {
    this.#news.push(news);
    this.#draw();
  }

  /** Show it with the next frame, of which there are none while nobody looks. */
  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    if (document.hidden) setTimeout(() => this.#update());
    else requestAnimationFrame(() => this.#update());
  }

  #update() {
    this.#drawing = false;
    const news = this.#news.splice(0);
    const atEnd = this.#isAtEnd();
    const height = this.#scroller.scrollHeight;
    const seen = this.#isSeen();
    for (const each of news) {
      if ("reason" in each) this.#gap(each);
      else this.#add(each, seen);
    }
    this.#showWaiting();
    if (atEnd) this.#keepNewest();
    else this.#keepOldest();
    if (atEnd) this.#scroller.scrollTop = 0;
    else if (news.length) this.#scroller.scrollTop -= this.#scroller.scrollHeight - height;
    this.#look();
  }

  /**
   * @param {Message} message
   * @param {boolean} seen
   */
  #add(message, seen) {
    if (!seen && !this.#isMine(message)) {
      if (!this.#unread && !this.#cut) this.#markUnread();
      this.#unread++;
    }
    if (this.#cut) return;
    const made = this.#line(message);
    this.#said.append(made);
    settle(made);
  }

  /** @param {Message} message */
  #line(message) {
    const made = line(message, this.#isMine(message), this.#names);
    this.#folds.watch(made);
    return made;
  }

  /** @param {Message} message */
  #isMine({ user }) {
    return user !== undefined && user.id === this.#chat.user?.id;
  }

  /** @param {Gap} gap */
  #gap({ reason, missed = 0 }) {
    const texts = {
      trimmed: `You missed ${count(missed, "message")}, which expired before you came back.`,
      epoch: "The room began anew while you were away. You may have missed messages.",
      forbidden: "You may have missed messages.",
    };
    // What is shown was numbered otherwise than what the server has now.
    if (reason === "epoch") this.#anew();
    if (!this.#cut) this.#said.append(marker("gap", texts[reason]));
  }

  /** Show nothing, and begin at the end again. */
  #anew() {
    this.#said.replaceChildren();
    this.#dropped++;
    this.#cut = false;
    this.#setMore(true);
    this.#loadEarlier();
  }

  #keepNewest() {
    if (this.#said.children.length <= MOST_AT_END) return;
    while (this.#said.children.length > MOST_AT_END) this.#said.firstElementChild?.remove();
    const first = this.#said.querySelector(".message");
    if (first instanceof HTMLElement) settle(first);
    this.#setMore(true);
  }

  #keepOldest() {
    while (this.#said.children.length > MOST) {
      this.#said.lastElementChild?.remove();
      this.#cut = true;
    }
  }

  // What was said before.

  async #loadEarlier() {
    if (this.#loading || !this.#more || !this.#chat.place) return;
    this.#loading = true;
    this.#earlier.textContent = "Loading…";
    const { epoch, seq } = this.#chat.place;
    const dropped = this.#dropped;
    const shown = this.#said.children.length;
    try {
      const page = await this.#chat.history({ before: this.#first() ?? seq + 1, limit: PAGE });
      // Or else what it belongs to is gone, or is about to.
      if (page.epoch === epoch && epoch === this.#chat.place.epoch && dropped === this.#dropped) {
        const first = this.#first() ?? Infinity;
        this.#prepend(page.messages.filter((each) => each.seq < first), page.more);
      }
      this.#earlier.textContent = "Earlier messages";
    } catch {
      this.#earlier.textContent = "Earlier messages could not be loaded. Try again";
    } finally {
      this.#loading = false;
    }
    // What came may not fill the screen.
    if (dropped !== this.#dropped || (this.#isAtTop() && shown < this.#said.children.length)) {
      this.#loadEarlier();
    }
  }

  /** The number of the first message that is shown. */
  #first() {
    const first = this.#said.querySelector(".message");
    return first instanceof HTMLElement ? Number(first.dataset.seq) : undefined;
  }

  /**
   * @param {Message[]} messages
   * @param {boolean} more
   */
  #prepend(messages, more) {
    // A screen reader tells what is new, which this is not.
    this.#log.setAttribute("aria-live", "off");
    clearTimeout(this.#quiet);
    this.#quiet = Number(setTimeout(() => this.#log.removeAttribute("aria-live"), QUIET));
    const atEnd = this.#isAtEnd();
    const first = this.#said.querySelector(".message");
    const made = messages.map((each) => this.#line(each));
    this.#said.prepend(...made);
    for (const each of [...made, first]) if (each instanceof HTMLElement) settle(each);
    this.#markSinceLastTime();
    this.#setMore(more);
    if (atEnd) this.#keepNewest();
    else this.#keepOldest();
    this.#look();
  }

  /** @param {boolean} more */
  #setMore(more) {
    if (!more && this.#earlier.matches(":focus")) this.#scroller.focus();
    this.#more = more;
    this.#earlier.hidden = !more;
    this.#top.hidden = more;
  }

  // What one has not seen.

  /** See what there is to be seen. */
  #look() {
    if (this.#cut && this.#scroller.scrollTop > -NEAR) this.#anew();
    if (this.#isSeen()) {
      this.#unread = 0;
      const { epoch = "", seq = 0 } = this.#chat.place ?? {};
      if (seq && !this.#news.length) this.#kept.write("seen", `${epoch}:${seq}`);
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

  /** Mark what was said since one was here last, once that has come. */
  #markSinceLastTime() {
    const [epoch, text] = this.#seen.split(":");
    const seen = Number(text);
    const place = this.#chat.place;
    if (!text || epoch !== place?.epoch || this.#said.querySelector(".unread")) return;
    const lines = /** @type {HTMLElement[]} */ ([...this.#said.querySelectorAll(".message")]);
    if (!lines.length || Number(lines[0].dataset.seq) > seen + 1) return;
    this.#seen = "";
    const first = lines.find((each) => Number(each.dataset.seq) > seen && !each.matches(".mine"));
    if (first) this.#markUnread(first);
  }

  // What is still to be sent.

  #showWaiting() {
    const outbox = this.#chat.outbox;
    const open = this.#chat.state === "open";
    /** @type {HTMLElement[]} */
    const shown = [...this.#waiting.querySelectorAll("[data-nonce]")].filter((each) => each instanceof HTMLElement);
    const known = new Map(shown.map((each) => [each.dataset.nonce, each]));
    for (const { nonce, message } of outbox) {
      const made = known.get(nonce) ?? this.#queue(nonce, message);
      known.delete(nonce);
      const note = open ? "Sending…" : "Waits for the connection";
      const small = find(made, "small");
      if (small.textContent !== note) small.textContent = note;
      const button = find(made, "button");
      if (open) this.#letGo(button);
      button.hidden = open;
    }
    for (const each of known.values()) this.#remove(each);
  }

  /**
   * @param {string} nonce
   * @param {string} message
   */
  #queue(nonce, message) {
    const made = unsent(message, "", [["Do not send", () => this.#chat.discard(nonce)]]);
    made.dataset.nonce = nonce;
    this.#folds.watch(made);
    this.#waiting.append(made);
    return made;
  }

  /**
   * @param {string} message
   * @param {ChatError} error
   */
  #fail(message, error) {
    if (error.code === "discarded") return;
    this.#kept.failed = [...this.#kept.failed, { message, problem: error.message }];
    this.#showFailed(message, error.message);
    this.#draw();
  }

  /**
   * @param {string} message
   * @param {string} problem
   */
  #showFailed(message, problem) {
    const done = () => {
      const at = this.#kept.failed.findIndex((each) => each.message === message);
      this.#kept.failed = this.#kept.failed.filter((_, index) => index !== at);
      this.#remove(made);
    };
    const made = unsent(message, `Not sent. ${problem}`, [
      ["Edit", () => (done(), this.#composer.put(message))],
      ["Remove", done],
    ]);
    made.classList.add("failed");
    find(made, "small").setAttribute("role", "alert");
    this.#folds.watch(made);
    this.#waiting.append(made);
  }

  /** @param {HTMLElement} gone */
  #remove(gone) {
    this.#letGo(gone);
    gone.remove();
  }

  /**
   * The focus of what goes away goes to where one writes.
   *
   * @param {HTMLElement} gone
   */
  #letGo(gone) {
    const { activeElement } = /** @type {ShadowRoot} */ (this.#frame.getRootNode());
    if (activeElement && gone.contains(activeElement)) this.#composer.focus();
  }
}

/**
 * @param {number} number
 * @param {string} what one of them
 */
function count(number, what) {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}
