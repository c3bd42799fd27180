/**
 * The messages of a room: what was said before, and what is said now. What else becomes of them is chat-log.js's.
 *
 *     earlier messages, a page at a time, when one scrolls there
 *     --- a day, "new messages", "you missed 5 messages" ---
 *     messages, as they come
 *
 * The elements are the only state that there is of it.  What happens is shown once a frame, because
 * each look at where things are makes the browser lay them out.
 *
 * The log scrolls from its end (column-reverse), so what is put before moves nothing; what is put
 * behind moves nothing either, for one who reads further up, because the distance to the end grows
 * with it.  No more than `MOST` lines are kept: for one who reads at the end the oldest go, and for one
 * who reads further up the newest, and then the end is loaded anew when one goes there.
 *
 * @import { Ignored } from "./chat-ignored.js"
 * @import { Names } from "./chat-names.js"
 * @import { Chat, Gap, Message } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { settle } from "./chat-line.js";
import { Lines, QUIET, gapLine } from "./chat-lines.js";
import { Past } from "./chat-past.js";
import { Scroll } from "./chat-scroll.js";
import { Unread } from "./chat-unread.js";
import { find } from "./dom.js";

/** Lines that are kept while one reads at the end, and further up. */
const MOST_AT_END = 1_000;
const MOST = 3_000;
/** Pixels from the end, or from the top, within which one is there. */
const NEAR = 60;

export class Messages {
  /** Is called when lines have been added, before the oldest go; and when all is shown. */
  onAdded = () => {};
  onDrawn = () => {};
  /** Is told how many messages the visitor has not seen. */
  onUnread = (/** @type {number} */ _count) => {};
  /** Is called when what there is to be seen may be another. */
  onLook = (/** @type {Unread} */ _unread) => {};

  lines;
  past;
  scroll;
  unread;
  #t;
  #scroller;
  #log;
  #said;
  #newer;
  /** @type {(Message | Gap | HTMLElement)[]} what is to be shown with the next frame */
  #news = [];
  #drawing = false;
  /** True if the newest messages are not shown. */
  #cut = false;
  /** True if the log is in the window, and in a visible part of the page. */
  #shown = false;
  #quiet = 0;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {Chat} chat
   * @param {import("./chat-memory.js").Memory} memory
   * @param {Names} names
   * @param {Ignored} ignored
   * @param {AbortSignal} over when the room has been left
   */
  constructor(t, frame, chat, memory, names, ignored, over) {
    this.#t = t;
    this.#scroller = find(frame, ".scroller");
    this.scroll = new Scroll(this.#scroller);
    this.#log = find(frame, "[role=log]");
    this.#said = find(frame, ".said");
    this.#newer = find(frame, ".newer");
    this.past = new Past(t, frame, chat, {
      first: () => this.#first(),
      prepend: (messages, more) => this.#prepend(messages, more),
      isAtTop: () => this.#isAtTop(),
    });
    this.lines = new Lines(t, chat, names, ignored);
    this.unread = new Unread(t, this.#said, chat, memory);

    chat.addEventListener("state", ({ detail: { state } }) => {
      if (state === "open" && !this.#said.children.length) this.past.load();
      this.draw();
    });
    chat.addEventListener("message", ({ detail }) => this.show(detail));
    chat.addEventListener("gap", ({ detail }) => {
      if (detail.reason === "epoch") this.#forget();
      this.show(detail);
    });

    this.#newer.addEventListener("click", () => {
      this.toEnd();
      this.#scroller.focus();
    });
    const look = () => {
      this.look();
      if (this.#isAtTop()) this.past.load();
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

  /** Go to the newest message. */
  toEnd() {
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

  /** Tell if the visitor sees the end; a list of people without room beside the log covers it. */
  #isSeen() {
    return this.#shown && this.#isAtEnd() && !document.hidden && !this.#scroller.inert;
  }

  // New messages.

  /** @param {Message | Gap | HTMLElement} news */
  show(news) {
    this.#news.push(news);
    this.draw();
  }

  /** The numbers are others'. */
  #forget() {
    this.unread.forget();
    this.past.from = undefined;
  }

  /**
   * A line that is shown.
   *
   * @param {number} seq
   */
  shown(seq) {
    const found = this.#said.querySelector(`[data-seq="${seq}"]`);
    return found instanceof HTMLElement ? found : null;
  }

  /** The lines that are shown; and those of them that have been announced, and are no news any more. */
  get all() {
    const there = /** @type {HTMLElement[]} */ ([...this.#said.querySelectorAll(".message")]);
    return { there, told: there.filter((each) => each.hasAttribute("aria-live")) };
  }

  /** Show it with the next frame, of which there are none while nobody looks. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    if (document.hidden) setTimeout(() => this.#update());
    else requestAnimationFrame(() => this.#update());
  }

  #update() {
    this.#drawing = false;
    const news = this.#news.splice(0);
    const atEnd = this.#isAtEnd();
    const seen = this.#isSeen();
    const show = () => {
      for (const each of news) {
        if (each instanceof HTMLElement) this.#tell(each);
        else if ("reason" in each) this.#gap(each);
        else this.#add(each, seen);
      }
      this.onAdded();
      if (atEnd) this.#keepNewest();
      else this.#keepOldest();
    };
    if (atEnd) {
      show();
      this.#scroller.scrollTop = 0;
    } else {
      this.scroll.inPlace(show);
    }
    this.onDrawn();
    this.look();
  }

  /**
   * @param {Message} message
   * @param {boolean} seen
   */
  #add(message, seen) {
    if (this.lines.isNews(message)) this.unread.add(message, seen, !this.#cut);
    if (this.#cut) return;
    const made = this.lines.make(message);
    this.#said.append(made);
    settle(this.#t, made);
  }

  /** @param {Gap} gap */
  #gap(gap) {
    // The shown messages have numbers of an epoch that has ended.
    if (gap.reason === "epoch") this.#anew();
    if (!this.#cut) this.#said.append(gapLine(this.#t, gap));
  }

  /** @param {HTMLElement} made a line that is no message */
  #tell(made) {
    if (this.#cut) return;
    const before = this.#said.lastElementChild;
    if (before?.matches(".moderated") && before.textContent === made.textContent) before.remove();
    this.#said.append(made);
  }

  /** Show nothing, and begin at the end again. */
  #anew() {
    this.#drop();
    this.#cut = false;
    this.past.offer(true);
    this.past.load();
  }

  #drop() {
    this.#said.replaceChildren();
    this.past.drop();
  }

  /**
   * Show these, and not the end.
   *
   * @param {Message[]} messages
   * @param {boolean} more
   * @param {number} from
   */
  replace(messages, more, from) {
    this.#drop();
    this.#cut = true;
    this.past.from = from;
    this.#put(messages, more);
  }

  #keepNewest() {
    if (this.#said.children.length <= MOST_AT_END) return;
    while (this.#said.children.length > MOST_AT_END) this.#said.firstElementChild?.remove();
    const first = this.#said.querySelector(".message");
    if (first instanceof HTMLElement) settle(this.#t, first);
    this.past.from = this.#first();
    this.past.offer(true);
  }

  #keepOldest() {
    while (this.#said.children.length > MOST) {
      this.#said.lastElementChild?.remove();
      this.#cut = true;
    }
  }

  // Earlier messages.

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
    const atEnd = this.#isAtEnd();
    this.#put(messages, more);
    this.unread.markSinceLastTime(more, this.#isSeen());
    if (atEnd) this.#keepNewest();
    else this.#keepOldest();
    this.look();
  }

  /**
   * @param {Message[]} messages which come before those that are shown
   * @param {boolean} more
   */
  #put(messages, more) {
    // A screen reader tells what is new, which this is not.
    this.#log.setAttribute("aria-live", "off");
    clearTimeout(this.#quiet);
    this.#quiet = Number(setTimeout(() => this.#log.removeAttribute("aria-live"), QUIET));
    const first = this.#said.querySelector(".message");
    const made = messages.map((each) => this.lines.make(each));
    this.#said.prepend(...made);
    for (const each of [...made, first]) if (each instanceof HTMLElement) settle(this.#t, each);
    this.onAdded();
    this.onDrawn();
    this.past.offer(more);
  }

  // Unseen messages.

  /** Follow the view: mark messages as seen, and update the button to the newest ones. */
  look() {
    if (this.#cut && this.#scroller.scrollTop > -NEAR) this.#anew();
    if (this.#isSeen() && !this.#news.length) this.unread.see();
    const unread = this.unread.count;
    this.#newer.hidden = this.#isAtEnd();
    this.#newer.classList.toggle("plain", !unread);
    this.#newer.textContent = unread ? this.#t("room.newer", { count: unread }) : this.#t("room.newest");
    this.onUnread(unread);
    this.onLook(this.unread);
  }
}
