/**
 * Where one writes: a new message, an answer to another, or another text for one of one's own.
 *
 *     a draft --reply--> an answer --sent, or cancelled--> a draft
 *        |
 *        +--edit--> another text --saved, or cancelled--> the draft that was there before
 *
 * @import { Chat, Data, Retracted } from "./livechat.js"
 * @import { Memory } from "./chat-memory.js"
 * @import { Texts } from "./texts.js"
 */

import { isSeen } from "./chat-names.js";
import { composes, onScreen, refuseFiles } from "./chat-input.js";
import { element, find } from "./dom.js";

/**
 * The purpose of what is written, if it is no message of its own.
 *
 * @typedef {{ kind: "edit" | "reply", seq: number, data?: Data }} Aim
 */

export class Composer {
  /** Is called with each text. */
  onSend = (/** @type {string} */ _text, /** @type {Aim | undefined} */ _aim) => {};

  #t;
  #form;
  #text;
  #error;
  #barred;
  #scroller;
  #status;
  #bar;
  #send;
  #memory;
  /** @type {Aim | undefined} */
  #aim;
  /** The text that is edited, as it was. */
  #before = "";
  /** How long there is to wait before something is said; empty if not at all. */
  #waits = "";

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {Chat} chat
   * @param {Memory} memory
   */
  constructor(t, frame, chat, memory) {
    this.#t = t;
    const form = (this.#form = find(frame, ".composer", HTMLFormElement));
    const text = (this.#text = find(form, "textarea", HTMLTextAreaElement));
    this.#error = find(form, ".error");
    this.#bar = find(form, ".aim");
    this.#send = find(form, ".send");
    this.#barred = find(frame, ".barred");
    this.#scroller = find(frame, ".scroller");
    this.#status = find(frame, "[role=status]");
    this.#memory = memory;
    text.value = memory.read("draft");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || composes(event) || !this.#aim) return;
      // It closes nothing else.
      event.stopPropagation();
      this.cancel();
    });
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || composes(event)) return;
      // A keyboard on the screen has no other way to begin a line.
      if (onScreen() && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      if (text.value) form.requestSubmit();
    });
    text.addEventListener("input", () => {
      this.#complain("");
      if (this.#aim?.kind === "edit") return;
      memory.write("draft", text.value);
      if (text.value.trim()) chat.typing();
    });
    find(this.#bar, "button").addEventListener("click", () => this.cancel());
    text.enterKeyHint = onScreen() ? "enter" : "send";
    // The keyboard on the screen stays while one sends.
    this.#send.addEventListener("mousedown", (event) => event.preventDefault());
    refuseFiles(find(frame, ".chat"), () => this.#form.hidden || this.#complain(t("composer.files")));
  }

  #submit() {
    const message = this.#text.value.trimEnd();
    this.focus();
    this.#complain(isSeen(message) ? "" : this.#t("composer.empty"));
    if (!isSeen(message)) return;
    const aim = this.#aim;
    if (this.#waits && aim?.kind !== "edit") {
      this.#status.textContent = this.#t("composer.slow", { time: this.#waits });
      return;
    }
    const same = aim?.kind === "edit" && message === this.#before;
    if (aim?.kind !== "edit") this.#set("");
    this.cancel();
    if (!same) this.onSend(message, aim);
  }

  /** @param {string} problem with what was typed; empty where there is none */
  #complain(problem) {
    this.#error.textContent = problem;
    this.#error.hidden = !problem;
    if (problem) this.#text.setAttribute("aria-invalid", "true");
    else this.#text.removeAttribute("aria-invalid");
    this.#describe();
  }

  /** Say at the text what is wrong with it, and what it is for. */
  #describe() {
    const ids = [...(this.#error.hidden ? [] : [this.#error.id]), ...(this.#aim ? ["aim"] : [])];
    if (ids.length) this.#text.setAttribute("aria-describedby", ids.join(" "));
    else this.#text.removeAttribute("aria-describedby");
  }

  /** @param {string} text */
  #set(text) {
    this.#text.value = text;
    this.#memory.write("draft", text);
  }

  focus() {
    if (this.#form.hidden) this.#scroller.focus();
    else this.#text.focus();
  }

  /**
   * Open the composer, or say why the visitor may not write. A draft stays where it is.
   *
   * @param {string} barred why not; empty where it is allowed
   * @param {string} [reason] a moderator's own words
   * @returns {boolean} whether that is news
   */
  allow(barred, reason = "") {
    if (this.#barred.textContent === barred + reason) return false;
    if (barred) this.cancel();
    const had = this.#form.contains(this.#active());
    this.#form.hidden = Boolean(barred);
    this.#barred.hidden = !barred;
    this.#barred.replaceChildren(barred, element("bdi", "", reason));
    if (had) this.focus();
    return true;
  }

  /**
   * Put back what could not be sent.
   *
   * @param {string} text
   */
  put(text) {
    this.cancel();
    this.#set([text, this.#text.value].filter(Boolean).join("\n"));
    this.focus();
  }

  /**
   * Write another text for a message.
   *
   * @param {number} seq
   * @param {string} text
   * @param {Data | undefined} data what other programs have put into it
   * @param {string} [before] unless said, *text* is what it was
   */
  edit(seq, text, data, before = text) {
    this.#aimAt({ kind: "edit", seq, data }, this.#t("composer.editing"));
    this.#before = before;
    this.#text.value = text;
    this.focus();
    this.#text.setSelectionRange(text.length, text.length);
  }

  /**
   * Answer a message.
   *
   * @param {number} seq
   * @param {HTMLElement} quote
   */
  reply(seq, quote) {
    this.#aimAt({ kind: "reply", seq }, ...this.#t.nodes("composer.replying", { quote }));
    this.focus();
  }

  /**
   * @param {Aim | undefined} aim
   * @param {...(string | Node)} what
   */
  #aimAt(aim, ...what) {
    // The draft is kept; what was another text is not.
    if (this.#aim?.kind === "edit") this.#text.value = this.#memory.read("draft");
    this.#aim = aim;
    this.#before = "";
    this.#bar.hidden = !aim;
    this.#bar.dataset.kind = aim?.kind ?? "";
    find(this.#bar, "span").replaceChildren(...what);
    this.#label();
    this.#complain("");
  }

  /**
   * Let nothing be said for a while; what is written stays.
   *
   * @param {string} waits how long; empty if it may be said now
   */
  wait(waits) {
    this.#waits = waits;
    this.#label();
  }

  #label() {
    const edits = this.#aim?.kind === "edit";
    const waits = edits ? "" : this.#waits;
    this.#send.textContent = edits ? this.#t("composer.save") : waits || this.#t("composer.send");
    this.#send.toggleAttribute("data-waits", Boolean(waits));
    if (waits) this.#send.setAttribute("aria-label", this.#t("composer.wait", { time: waits }));
    else this.#send.removeAttribute("aria-label");
  }

  /** Go back to the draft. */
  cancel() {
    if (!this.#aim) return;
    if (this.#bar.contains(this.#active())) this.focus();
    this.#aimAt(undefined);
  }

  #active() {
    return /** @type {ShadowRoot} */ (this.#text.getRootNode()).activeElement;
  }

  /**
   * What was taken back is not edited any more.
   *
   * @param {Retracted} retracted
   */
  retract({ refs }) {
    if (this.#aim?.kind !== "edit" || !refs.includes(this.#aim.seq)) return;
    this.cancel();
    this.#complain(this.#t("composer.gone"));
  }
}
