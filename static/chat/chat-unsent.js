/**
 * Messages that wait to be sent, and those that could not be.
 *
 * @import { Aims } from "./chat-aims.js"
 * @import { ChatError, Message, Retracted } from "./livechat.js"
 * @import { Changes } from "./chat-changes.js"
 * @import { Folds } from "./chat-folds.js"
 * @import { Quotes } from "./chat-quotes.js"
 * @import { Room } from "./chat-rest.js"
 */

import { note, unsent } from "./chat-amended.js";
import { dataOf } from "./chat-line.js";
import { isSame } from "./chat-names.js";
import { problemOf } from "./chat-problems.js";
import { find } from "./dom.js";

/**
 * A message, an answer or an edit that could not be sent, with the reason.
 *
 * @typedef {{ message: string, problem: string, replyTo?: number, ref?: number }} Failed
 */

/** Errors of which nothing is shown: the visitor gave it up, or is another one now. */
const SILENT = ["discarded", "another_user"];

export class Unsent {
  #t;
  #frame;
  #chat;
  #composer;
  #aims;
  #kept;
  #changes;
  #quotes;
  #folds;
  #shown;
  #said;
  #waiting;
  /** The nonce of the message that slow mode delays. */
  #slow = "";

  /**
   * @param {Room} room
   * @param {Aims} aims
   * @param {Changes} changes
   * @param {Quotes} quotes
   * @param {Folds} folds
   */
  constructor({ t, frame, chat, heard, composer, memory, messages }, aims, changes, quotes, folds) {
    this.#t = t;
    this.#frame = frame;
    this.#chat = chat;
    this.#composer = composer;
    this.#aims = aims;
    this.#kept = memory;
    this.#changes = changes;
    this.#quotes = quotes;
    this.#folds = folds;
    this.#shown = (/** @type {number} */ seq) => messages.shown(seq);
    this.#said = find(frame, ".said");
    this.#waiting = find(frame, ".waiting");
    heard.addEventListener("refused", ({ detail }) => {
      if (detail.type === "retract") this.failToRetract(detail.refs, detail.error);
      else if (detail.type === "edit") this.fail({ message: detail.text, ref: detail.ref }, detail.error);
      else this.fail(detail, detail.error);
    });
    heard.addEventListener("slow", ({ detail: { nonce } }) => (this.#slow = nonce));
    heard.addEventListener("message", ({ detail }) => this.#hear(detail));
    for (const failed of memory.failed) this.#showFailed(failed);
  }

  /** Show what waits now. */
  show() {
    const t = this.#t;
    const open = this.#chat.state === "open";
    /** @type {HTMLElement[]} */
    const shown = [...this.#waiting.querySelectorAll("[data-nonce]")].filter((each) => each instanceof HTMLElement);
    const known = new Map(shown.map((each) => [each.dataset.nonce, each]));
    /** @type {Map<number, string>} */
    const notes = new Map();
    const slow = this.#chat.outbox.some(({ nonce }) => nonce === this.#slow) ? t("unsent.slow") : "";
    for (const each of this.#chat.outbox) {
      if (each.type === "message") {
        const made = known.get(each.nonce) ?? this.#queue(each.nonce, each.message, each.replyTo);
        this.#showState(made, each.case ? t("unsent.review") : open ? slow : t("unsent.connection"), Boolean(each.case));
        known.delete(each.nonce);
      } else if (each.type === "edit") {
        notes.set(each.ref, t(open ? "unsent.saving" : "unsent.change-later"));
      } else {
        for (const ref of each.refs) notes.set(ref, t(open ? "unsent.taking-back" : "unsent.take-back-later"));
      }
    }
    for (const each of known.values()) this.#remove(each);
    this.#showNotes(notes);
  }

  /**
   * @param {HTMLElement} made
   * @param {string} waits for what; empty if it is on its way
   * @param {boolean} held whether for a review
   */
  #showState(made, waits, held) {
    const state = waits || this.#t("unsent.sending");
    const small = find(made, "small");
    if (small.textContent !== state) {
      small.textContent = state;
      if (held) find(this.#frame, "[role=status]").textContent = this.#t("unsent.review-told");
    }
    const button = find(made, "button:not(.quote, .fold)");
    // A held message is the moderators' now, so it can only be hidden.
    button.textContent = this.#t(held ? "unsent.hide" : "unsent.discard");
    if (!waits) this.#letGo(button);
    button.hidden = !waits;
  }

  /**
   * A message that waited for a review may have been said while that could not be told.
   *
   * @param {Message} message
   */
  #hear({ message, user }) {
    if (!isSame(user, this.#chat.user)) return;
    const held = this.#chat.outbox.find((each) => each.type === "message" && each.case && each.message === message);
    if (held) this.#chat.discard(held.nonce);
  }

  /** @param {Map<number, string>} notes by the message's number */
  #showNotes(notes) {
    for (const each of this.#said.querySelectorAll(".note")) {
      const line = each.closest(".message");
      if (line instanceof HTMLElement && !notes.has(Number(line.dataset.seq))) note(line, "");
    }
    for (const [seq, text] of notes) {
      const line = this.#shown(seq);
      if (line && !line.matches(".gone")) note(line, text);
    }
  }

  /**
   * @param {string} nonce
   * @param {string} message
   * @param {number | undefined} replyTo
   */
  #queue(nonce, message, replyTo) {
    const quote = replyTo === undefined ? undefined : this.#quotes.make(replyTo);
    const made = unsent(quote, message, "", [[this.#t("unsent.discard"), () => this.#chat.discard(nonce)]]);
    made.dataset.nonce = nonce;
    this.#folds.watch(made);
    this.#waiting.append(made);
    return made;
  }

  /**
   * @param {{ message: string, replyTo?: number, ref?: number }} what
   * @param {ChatError} error
   */
  fail({ message, replyTo, ref }, error) {
    if (SILENT.includes(error.code)) return;
    if (ref !== undefined && this.#changes.isGone(ref)) {
      this.#tell(this.#t("unsent.unchanged", { problem: this.#t("problem.not_found") }));
      return;
    }
    const problem = this.#problem(error, ref !== undefined);
    const failed = { message, problem, replyTo, ref };
    this.#kept.failed = [...this.#kept.failed, failed];
    this.#showFailed(failed);
  }

  /**
   * @param {number[]} refs
   * @param {ChatError} error
   */
  failToRetract(refs, error) {
    if (SILENT.includes(error.code) || refs.every((ref) => this.#changes.isGone(ref))) return;
    this.#tell(this.#t("unsent.untaken", { problem: this.#problem(error, true) }), this.#quotes.make(refs[0]));
  }

  /**
   * @param {ChatError} error
   * @param {boolean} changes whether a message was to be changed
   */
  #problem(error, changes) {
    return changes && error.code === "forbidden" ? this.#t("problem.not_yours") : problemOf(this.#t, error);
  }

  /** @param {Failed} failed */
  #showFailed(failed) {
    const { message, problem, replyTo, ref } = failed;
    const done = () => {
      const at = this.#kept.failed.findIndex((each) => each.message === message && each.ref === ref);
      this.#kept.failed = this.#kept.failed.filter((_, index) => index !== at);
      this.#remove(made);
    };
    const about = ref ?? replyTo;
    const quote = about === undefined ? undefined : this.#quotes.make(about);
    const made = unsent(quote, message, this.#t(ref === undefined ? "unsent.failed" : "unsent.unchanged", { problem }), [
      [this.#t("unsent.edit"), () => (done(), this.#again(failed))],
      [this.#t("unsent.remove"), done],
    ]);
    if (ref !== undefined) made.dataset.ref = String(ref);
    this.#showProblem(made);
    this.#folds.watch(made);
  }

  /**
   * Write again what could not be sent: another text only where it may be changed still.
   *
   * @param {Failed} failed
   */
  #again({ message, replyTo, ref }) {
    const line = ref === undefined ? null : this.#shown(ref);
    const time = Number(line?.dataset.time);
    const user = this.#chat.user ?? undefined;
    if (ref !== undefined && line?.matches(".mine") && this.#chat.editable({ time, user })) {
      this.#aims.edit(ref, message, dataOf(line), "");
      return;
    }
    this.#aims.put(message);
    if (replyTo !== undefined) this.#aims.reply(replyTo, this.#quotes.make(replyTo));
  }

  /**
   * Say that something was not done, of which nothing is to be done again.
   *
   * @param {string} problem
   * @param {HTMLElement} [quote] of what it is about
   */
  #tell(problem, quote) {
    const made = unsent(quote, "", problem, [[this.#t("unsent.remove"), () => this.#remove(made)]]);
    this.#showProblem(made);
  }

  /** @param {HTMLElement} made */
  #showProblem(made) {
    made.classList.add("failed");
    const problem = find(made, "small");
    const before = this.#waiting.lastElementChild?.querySelector("small")?.textContent;
    // A screen reader tells of one where many fail alike.
    if (before !== problem.textContent) problem.setAttribute("role", "alert");
    this.#waiting.append(made);
  }

  /**
   * Another text for what was taken back is not kept.
   *
   * @param {Retracted} retracted
   */
  retract({ refs }) {
    for (const each of this.#waiting.querySelectorAll("[data-ref]")) {
      if (each instanceof HTMLElement && refs.includes(Number(each.dataset.ref))) this.#remove(each);
    }
    const left = this.#kept.failed.filter(({ ref }) => ref === undefined || !refs.includes(ref));
    if (left.length < this.#kept.failed.length) this.#kept.failed = left;
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
