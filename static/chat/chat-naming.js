/**
 * The visitor's own name, and the form in the head by which a guest takes another one, without leaving the room.
 *
 *     [A Ann] --click--> [Ann____] Save Cancel --saved, Cancel, Escape--> [A Amy]
 *
 * @import { Room } from "./chat-rest.js"
 * @import { ChatError } from "./livechat.js"
 */

import { composes } from "./chat-input.js";
import { keepName } from "./chat-memory.js";
import { isSame } from "./chat-names.js";
import { avatar } from "./chat-people.js";
import { problemOf } from "./chat-problems.js";
import { NAMING } from "./chat-furniture.js";
import { element, find, shape } from "./dom.js";
import { fill } from "./texts.js";

/** Errors that have words of their own where it is a name that is refused. */
const OWN = /** @type {const} */ (["bad_message", "rate_limited", "forbidden"]);

export class Naming {
  #t;
  #frame;
  #chat;
  #button;
  /** @type {HTMLFormElement | null} while it is there */
  #form = null;

  /** @param {Room} room */
  constructor({ t, frame, chat, heard }) {
    this.#t = t;
    this.#frame = frame;
    this.#chat = chat;
    this.#button = find(frame, "button.rename");
    this.#button.addEventListener("click", () => this.#open());
    heard.addEventListener("renamed", ({ detail: { user } }) => isSame(user, chat.user) && this.#show());
    heard.addEventListener("rights", () => this.#show());
  }

  /** Show the name that one has, and whether one may have another: a site says what its users are called. */
  #show() {
    const { user, can } = this.#chat;
    const may = user !== null && !user.verified && can.has("send");
    if (!may) this.#close();
    this.#button.hidden = !may || this.#form !== null;
    if (!user) return;
    const what = element("span", "unseen", `: ${this.#t("room.rename")}`);
    this.#button.replaceChildren(avatar(user), element("bdi", "", user.name), what);
    this.#button.title = this.#t("room.rename");
  }

  #open() {
    const head = find(this.#frame, "header");
    head.append(fill(this.#t, shape(NAMING)));
    const form = (this.#form = find(head, "form", HTMLFormElement));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    form.addEventListener("keydown", (event) => this.#pressed(event));
    find(form, ".cancel").addEventListener("click", () => this.#close());
    this.#button.hidden = true;
    const input = this.#input(form);
    input.value = this.#chat.user?.name ?? "";
    input.select();
    input.focus();
  }

  /** @param {HTMLFormElement} form */
  #input(form) {
    return find(form, "input", HTMLInputElement);
  }

  #close() {
    const form = this.#form;
    if (!form) return;
    const focused = form.matches(":focus-within");
    this.#form = null;
    form.remove();
    this.#show();
    if (focused) this.#button.focus();
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const ignored = composes(event);
    if (event.key === "Enter" && ignored) event.preventDefault();
    if (event.key !== "Escape" || ignored) return;
    event.stopPropagation();
    this.#close();
  }

  async #save() {
    const form = this.#form;
    const name = form && this.#input(form).value.trim();
    if (!name || name === this.#chat.user?.name) {
      this.#close();
      return;
    }
    this.#say("");
    form.setAttribute("aria-busy", "true");
    try {
      const { name: given = name } = await this.#chat.rename(name);
      keepName(given);
      this.#tell(name, given);
    } catch (error) {
      this.#say(this.#why(/** @type {ChatError} */ (error)));
    }
    form.removeAttribute("aria-busy");
  }

  /**
   * @param {string} name which was asked for
   * @param {string} given which one has
   */
  #tell(name, given) {
    if (name !== given) {
      // Reserved: the server made one up.
      this.#say(this.#t("naming.reserved", { name: given }));
      return;
    }
    this.#close();
    find(this.#frame, "[role=status]").textContent = this.#t("naming.done", { name });
  }

  /** @param {ChatError} error */
  #why(error) {
    const own = OWN.find((code) => code === error.code);
    return own ? this.#t(`naming.${own}`) : problemOf(this.#t, error);
  }

  /** @param {string} problem */
  #say(problem) {
    if (!this.#form) return;
    const error = find(this.#form, ".error");
    const input = this.#input(this.#form);
    error.textContent = problem;
    error.hidden = !problem;
    input.setAttribute("aria-invalid", String(Boolean(problem)));
    if (problem) input.focus();
  }
}
