/**
 * The field to write messages. chat-aims.js turns it to an answer or an edit.
 *
 * @import { Chat } from "./livechat.js"
 * @import { Memory } from "./chat-memory.js"
 * @import { Texts } from "./texts.js"
 */

import { composes, onScreen } from "./chat-input.js";
import { isSeen } from "./chat-names.js";
import { element, find } from "./dom.js";

export class Composer {
  /** Is called with each message. */
  onSend = (/** @type {string} */ _text) => {};
  /** Says whether a text was seen to, which is no message of its own, or may not be sent yet. */
  isTaken = (/** @type {string} */ _text) => false;
  /** Is called when what one aims at, if anything, counts no more. */
  onCancel = () => {};
  /** The id of what describes the text, beside what is wrong with it. */
  describedBy = "";
  /** False while what is typed is no draft. */
  drafts = true;

  form;
  text;
  #t;
  #error;
  #barred;
  #scroller;
  #memory;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {Chat} chat
   * @param {Memory} memory
   */
  constructor(t, frame, chat, memory) {
    this.#t = t;
    const form = (this.form = find(frame, ".composer", HTMLFormElement));
    const text = (this.text = find(form, "textarea", HTMLTextAreaElement));
    this.#error = find(form, ".error");
    this.#barred = find(frame, ".barred");
    this.#scroller = find(frame, ".scroller");
    this.#memory = memory;
    text.value = this.draft;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || composes(event)) return;
      // A keyboard on the screen has no other way to begin a line.
      if (onScreen() && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      if (text.value) form.requestSubmit();
    });
    text.addEventListener("input", () => {
      this.complain("");
      if (!this.drafts) return;
      memory.write("draft", text.value);
      if (text.value.trim()) chat.typing();
    });
    text.enterKeyHint = onScreen() ? "enter" : "send";
    // The keyboard on the screen stays while one sends.
    find(form, ".send").addEventListener("mousedown", (event) => event.preventDefault());
  }

  #submit() {
    const message = this.text.value.trimEnd();
    this.focus();
    this.complain(isSeen(message) ? "" : this.#t("composer.empty"));
    if (!isSeen(message) || this.isTaken(message)) return;
    this.draft = "";
    this.onSend(message);
  }

  /** @param {string} problem with what was typed; empty where there is none */
  complain(problem) {
    this.#error.textContent = problem;
    this.#error.hidden = !problem;
    const ids = [problem && this.#error.id, this.describedBy].filter(Boolean);
    for (const [name, value] of [["aria-invalid", problem && "true"], ["aria-describedby", ids.join(" ")]]) {
      if (value) this.text.setAttribute(name, value);
      else this.text.removeAttribute(name);
    }
  }

  get draft() {
    return this.#memory.read("draft");
  }

  set draft(text) {
    this.text.value = text;
    this.#memory.write("draft", text);
  }

  focus() {
    if (this.form.hidden) this.#scroller.focus();
    else this.text.focus();
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
    if (barred) this.onCancel();
    const had = this.form.contains(this.active);
    this.form.hidden = Boolean(barred);
    this.#barred.hidden = !barred;
    this.#barred.replaceChildren(barred, element("bdi", "", reason));
    if (had) this.focus();
    return true;
  }

  /** The element that has the focus. */
  get active() {
    return /** @type {ShadowRoot} */ (this.text.getRootNode()).activeElement;
  }
}
