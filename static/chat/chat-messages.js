/**
 * The messages of a room: what was said before, what is said now, and what is still to be sent.
 *
 *     earlier messages, a page at a time, when one scrolls there
 *     --- a day, "new messages", "you missed 5 messages" ---
 *     messages, as they come, and as they are edited and taken back
 *
 * The elements are the only state that there is of it.  What happens is shown once a frame, because
 * each look at where things are makes the browser lay them out.
 *
 * The log scrolls from its end (column-reverse), so what is put before moves nothing; what is put
 * behind moves nothing either, for one who reads further up, because the distance to the end grows
 * with it.  No more than `MOST` lines are kept: for one who reads at the end the oldest go, and for one
 * who reads further up the newest, and then the end is loaded anew when one goes there.
 *
 * @import { Calls } from "./chat-calls.js"
 * @import { Aim, Composer } from "./chat-composer.js"
 * @import { Ignored } from "./chat-ignored.js"
 * @import { Choice } from "./chat-menu.js"
 * @import { Names } from "./chat-names.js"
 * @import { Chat, Edited, Gap, Message, Moderated, Retracted } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { Amends } from "./chat-amends.js";
import { Changes } from "./chat-changes.js";
import { Folds } from "./chat-folds.js";
import { Jump } from "./chat-jump.js";
import { line, settle } from "./chat-line.js";
import { Lines, QUIET, gapLine, moderatedLine } from "./chat-lines.js";
import { Menu } from "./chat-menu.js";
import { isSame } from "./chat-names.js";
import { Past } from "./chat-past.js";
import { Quotes } from "./chat-quotes.js";
import { Unread } from "./chat-unread.js";
import { Unsent } from "./chat-unsent.js";
import { find } from "./dom.js";

/** Lines that are kept while one reads at the end, and further up. */
const MOST_AT_END = 1_000;
const MOST = 3_000;
/** Pixels from the end, or from the top, within which one is there. */
const NEAR = 60;

export class Messages {
  /** @type {(line: HTMLElement) => Choice[]} what else a message offers */
  more = () => [];

  #t;
  #chat;
  #calls;
  #folds;
  #changes = new Changes();
  #quotes;
  #unread;
  #unsent;
  #amends;
  #menu;
  #ignored;
  #lines;
  #jump;
  #scroller;
  #log;
  #said;
  #past;
  #newer;
  /** @type {(Message | Gap | Moderated)[]} what is to be shown with the next frame */
  #news = [];
  /** @type {(Edited | Retracted)[]} what has happened to those before */
  #changed = [];
  #drawing = false;
  /** Whether the newest messages are not among those that are shown. */
  #cut = false;
  /** Whether the log is in the window, and in a part of the page that is shown. */
  #shown = false;
  #quiet = 0;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {Chat} chat
   * @param {Composer} composer
   * @param {import("./chat-memory.js").Memory} memory
   * @param {Names} names
   * @param {Ignored} ignored
   * @param {Calls} calls
   * @param {AbortSignal} over when the room has been left
   */
  constructor(t, frame, chat, composer, memory, names, ignored, calls, over) {
    this.#t = t;
    this.#chat = chat;
    this.#calls = calls;
    this.#ignored = ignored;
    this.#scroller = find(frame, ".scroller");
    this.#folds = new Folds(t, this.#scroller, over);
    this.#log = find(frame, "[role=log]");
    this.#said = find(frame, ".said");
    this.#newer = find(frame, ".newer");
    this.#past = new Past(t, frame, chat, {
      first: () => this.#first(),
      prepend: (messages, more) => this.#prepend(messages, more),
      isAtTop: () => this.#isAtTop(),
    });
    const shown = (/** @type {number} */ seq) => this.#shownLine(seq);
    /** @type {(message: Message) => HTMLElement} */
    const apart = (message) => line(t, message, isSame(message.user, chat.user), names);
    this.#quotes = new Quotes(t, frame, chat, this.#changes, shown, apart, (seq) => this.jump(seq), over);
    this.#unsent = new Unsent(t, frame, chat, composer, memory, this.#changes, this.#quotes, this.#folds, shown);
    this.#unread = new Unread(t, this.#said, chat, memory, calls);
    const offer = (/** @type {HTMLElement[]} */ lines) => this.#menu.offer(lines);
    this.#lines = new Lines(t, chat, names, this.#changes, ignored, { quotes: this.#quotes, folds: this.#folds }, offer);
    this.#jump = new Jump(t, frame, this.#past, this.#quotes, {
      shown,
      replace: (...page) => this.#replace(...page),
      look: () => this.#look(),
    });
    const parts = { folds: this.#folds, names, quotes: this.#quotes, unread: this.#unread, unsent: this.#unsent };
    const amends = (this.#amends = new Amends(t, frame, chat, composer, parts, shown));
    this.#menu = new Menu(t, frame, (line) => [...amends.choices(line), ...this.more(line)], over);

    chat.addEventListener("state", ({ detail: { state } }) => {
      if (state === "open" && !this.#said.children.length) this.#past.load();
      this.#draw();
    });
    chat.addEventListener("message", ({ detail }) => this.#hear(detail));
    chat.addEventListener("gap", ({ detail }) => {
      if (detail.reason === "epoch") this.#forget();
      this.#hear(detail);
    });
    chat.addEventListener("edited", ({ detail }) => {
      this.#changes.edit(detail);
      this.#change(detail);
    });
    chat.addEventListener("retracted", ({ detail }) => {
      this.#changes.retract(detail);
      this.#change(detail);
    });
    chat.addEventListener("moderated", ({ detail }) => this.#hear(detail));
    for (const type of /** @type {const} */ (["outbox", "slow"])) chat.addEventListener(type, () => this.#draw());

    this.#newer.addEventListener("click", () => {
      this.#toEnd();
      this.#scroller.focus();
    });
    const look = () => {
      this.#look();
      if (this.#isAtTop()) this.#past.load();
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
   * Send a message, or another text for one, and show what becomes of it.
   *
   * @param {string} message
   * @param {Aim | undefined} aim
   */
  send(message, aim) {
    this.#amends.send(message, aim);
    if (aim?.kind !== "edit") this.#toEnd();
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

  /** Fold what people said whom the visitor ignores, and unfold what others did. */
  fold() {
    this.#folds.inPlace(() => {
      for (const each of this.#said.querySelectorAll(".message")) {
        if (each instanceof HTMLElement) this.#ignored.fold(each);
      }
    });
  }

  /** @param {Message | Gap | Moderated} news */
  #hear(news) {
    this.#news.push(news);
    this.#draw();
  }

  /** @param {Edited | Retracted} change */
  #change(change) {
    this.#changed.push(change);
    this.#draw();
  }

  /** The numbers are others'. */
  #forget() {
    this.#changes.forget();
    this.#quotes.forget();
    this.#changed = [];
    this.#unread.forget();
    this.#past.from = undefined;
  }

  /** @param {number} seq */
  #shownLine(seq) {
    const found = this.#said.querySelector(`[data-seq="${seq}"]`);
    return found instanceof HTMLElement ? found : null;
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
    const seen = this.#isSeen();
    const show = () => {
      for (const each of news) {
        if ("action" in each) this.#tell(each);
        else if ("reason" in each) this.#gap(each);
        else this.#add(each, seen);
      }
      this.#unsent.show();
      if (atEnd) this.#keepNewest();
      else this.#keepOldest();
    };
    if (atEnd) {
      show();
      this.#scroller.scrollTop = 0;
    } else {
      this.#folds.inPlace(show);
    }
    const changed = this.#changed.splice(0);
    if (changed.length) this.#folds.inPlace(() => changed.forEach((each) => this.#amends.apply(each)));
    this.#quotes.look();
    this.#menu.follow();
    this.#look();
  }

  /**
   * @param {Message} message
   * @param {boolean} seen
   */
  #add(message, seen) {
    if (this.#lines.isNews(message)) this.#unread.add(message, seen, !this.#cut);
    if (this.#cut) return;
    const made = this.#lines.make(message);
    this.#said.append(made);
    settle(this.#t, made);
  }

  /** @param {Gap} gap */
  #gap(gap) {
    // What is shown was numbered otherwise than what the server has now.
    if (gap.reason === "epoch") this.#anew();
    if (!this.#cut) this.#said.append(gapLine(this.#t, gap));
  }

  /** @param {Moderated} moderated */
  #tell(moderated) {
    const made = moderatedLine(this.#t, moderated);
    if (!made || this.#cut) return;
    const before = this.#said.lastElementChild;
    if (before?.matches(".moderated") && before.textContent === made.textContent) before.remove();
    this.#said.append(made);
  }

  /** Show nothing, and begin at the end again. */
  #anew() {
    this.#drop();
    this.#cut = false;
    this.#past.offer(true);
    this.#past.load();
  }

  #drop() {
    this.#said.replaceChildren();
    this.#past.drop();
  }

  /**
   * Show these, and not the end.
   *
   * @param {Message[]} messages
   * @param {boolean} more
   * @param {number} from
   */
  #replace(messages, more, from) {
    this.#drop();
    this.#cut = true;
    this.#past.from = from;
    this.#put(messages, more);
  }

  #keepNewest() {
    if (this.#said.children.length <= MOST_AT_END) return;
    while (this.#said.children.length > MOST_AT_END) this.#said.firstElementChild?.remove();
    const first = this.#said.querySelector(".message");
    if (first instanceof HTMLElement) settle(this.#t, first);
    this.#past.from = this.#first();
    this.#past.offer(true);
  }

  #keepOldest() {
    while (this.#said.children.length > MOST) {
      this.#said.lastElementChild?.remove();
      this.#cut = true;
    }
  }

  // What was said before.

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
    this.#unread.markSinceLastTime(more, this.#isSeen());
    if (atEnd) this.#keepNewest();
    else this.#keepOldest();
    this.#look();
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
    const made = messages.map((each) => this.#lines.make(each));
    this.#said.prepend(...made);
    for (const each of [...made, first]) if (each instanceof HTMLElement) settle(this.#t, each);
    this.#quotes.look();
    this.#unsent.show();
    this.#past.offer(more);
  }

  /**
   * A quote of a message, which leads there.
   *
   * @param {number} seq
   */
  quote(seq) {
    return this.#quotes.make(seq, "quote.pinned");
  }

  /** @param {number} seq */
  jump(seq) {
    return this.#jump.to(seq);
  }

  // What one has not seen.

  /** See what there is to be seen. */
  #look() {
    if (this.#cut && this.#scroller.scrollTop > -NEAR) this.#anew();
    if (this.#isSeen() && !this.#news.length) this.#unread.see();
    const unread = this.#unread.count;
    this.#newer.hidden = this.#isAtEnd();
    this.#newer.classList.toggle("plain", !unread);
    this.#newer.textContent = unread ? this.#t("room.newer", { count: unread }) : this.#t("room.newest");
    this.#calls.tell(this.#unread);
  }
}
