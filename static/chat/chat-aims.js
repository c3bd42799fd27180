/**
 * Writing beyond new messages: an answer to another, or another text for one of one's own.
 *
 *     a draft --reply--> an answer --sent, or cancelled--> a draft
 *        |
 *        +--edit--> another text --saved, or cancelled--> the draft that was there before
 *
 * @import { Room } from "./chat-rest.js"
 * @import { Data, Retracted } from "./livechat.js"
 */

import { refuseFiles } from "./chat-files.js";
import { composes } from "./chat-input.js";
import { find } from "./dom.js";

/**
 * The purpose of what is written, if it is no message of its own.
 *
 * @typedef {{ kind: "edit" | "reply", seq: number, data?: Data }} Aim
 */

export class Aims {
  #t;
  #composer;
  #status;
  #bar;
  #send;
  #say;
  /** @type {Aim | undefined} */
  #aim;
  /** The text that is edited, as it was. */
  #before = "";
  /** The text on the time to wait before the next message; empty without a wait. */
  #waits = "";

  /**
   * @param {Room} room
   * @param {(message: string, aim: Aim) => void} say
   */
  constructor({ t, frame, composer }, say) {
    this.#t = t;
    this.#composer = composer;
    const { form } = composer;
    this.#bar = find(form, ".aim");
    this.#send = find(form, ".send");
    this.#status = find(frame, "[role=status]");
    this.#say = say;
    composer.isTaken = (message) => this.#takes(message);
    composer.onCancel = () => this.cancel();
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || composes(event) || !this.#aim) return;
      // The key closes nothing else.
      event.stopPropagation();
      this.cancel();
    });
    find(this.#bar, "button").addEventListener("click", () => this.cancel());
    refuseFiles(find(frame, ".chat"), () => form.hidden || composer.complain(t("composer.files")));
  }

  /**
   * See to a text that is no message of its own, or may not be sent yet.
   *
   * @param {string} message
   */
  #takes(message) {
    const aim = this.#aim;
    if (this.#waits && aim?.kind !== "edit") {
      this.#status.textContent = this.#t("composer.slow", { time: this.#waits });
      return true;
    }
    if (!aim) return false;
    const same = aim.kind === "edit" && message === this.#before;
    if (aim.kind === "reply") this.#composer.draft = "";
    this.cancel();
    if (!same) this.#say(message, aim);
    return true;
  }

  /**
   * Put back what could not be sent.
   *
   * @param {string} text
   */
  put(text) {
    this.cancel();
    const composer = this.#composer;
    composer.draft = [text, composer.text.value].filter(Boolean).join("\n");
    composer.focus();
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
    const field = this.#composer.text;
    field.value = text;
    this.#composer.focus();
    field.setSelectionRange(text.length, text.length);
  }

  /**
   * Answer a message.
   *
   * @param {number} seq
   * @param {HTMLElement} quote
   */
  reply(seq, quote) {
    this.#aimAt({ kind: "reply", seq }, ...this.#t.nodes("composer.replying", { quote }));
    this.#composer.focus();
  }

  /**
   * @param {Aim | undefined} aim
   * @param {...(string | Node)} what
   */
  #aimAt(aim, ...what) {
    const composer = this.#composer;
    // The draft is kept; what was another text is not.
    if (this.#aim?.kind === "edit") composer.text.value = composer.draft;
    this.#aim = aim;
    this.#before = "";
    this.#bar.hidden = !aim;
    this.#bar.dataset.kind = aim?.kind ?? "";
    find(this.#bar, "span").replaceChildren(...what);
    composer.drafts = aim?.kind !== "edit";
    composer.describedBy = aim ? "aim" : "";
    this.#label();
    composer.complain("");
  }

  /**
   * Bar sending for a while; what is written stays.
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
    if (this.#bar.contains(this.#composer.active)) this.#composer.focus();
    this.#aimAt(undefined);
  }

  /**
   * A message that was taken back is not edited any more.
   *
   * @param {Retracted} retracted
   */
  retract({ refs }) {
    if (this.#aim?.kind !== "edit" || !refs.includes(this.#aim.seq)) return;
    this.cancel();
    this.#composer.complain(this.#t("composer.gone"));
  }
}
