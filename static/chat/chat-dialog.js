/**
 * A dialog above the page: it shows something, or asks for something.
 *
 * All parts share one. The browser keeps the focus in it, closes it by Escape, and gives the focus back.
 */

import { element, find } from "./dom.js";

let fields = 0;

export class Dialog {
  #dialog;
  #title;
  #body;

  /** @param {HTMLElement} frame */
  constructor(frame) {
    this.#dialog = find(frame, "dialog", HTMLDialogElement);
    this.#title = find(this.#dialog, "h2");
    this.#body = find(this.#dialog, ".body");
    find(this.#dialog, ".close").addEventListener("click", () => this.close());
    this.#dialog.addEventListener("click", ({ target }) => {
      // The space around the form is the dialog's own.
      if (target === this.#dialog) this.close();
    });
    this.#dialog.addEventListener("close", () => this.#body.replaceChildren());
  }

  close() {
    this.#dialog.close();
  }

  /**
   * Tell if the dialog shows this content.
   *
   * @param {HTMLElement} content
   */
  shows(content) {
    return this.#dialog.open && content.parentElement === this.#body;
  }

  /**
   * @param {(string | Node)[]} title
   * @param {...HTMLElement} content
   */
  show(title, ...content) {
    this.#title.replaceChildren(...title);
    this.#body.replaceChildren(...content);
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  /**
   * Ask for something.
   *
   * @param {(string | Node)[]} title
   * @param {string} submit what the button says
   * @param {...HTMLElement} content with fields
   * @returns {Promise<FormData | undefined>} nothing where it was closed
   */
  ask(title, submit, ...content) {
    const form = element("form", "ask", ...content, element("button", "", submit));
    return new Promise((resolve) => {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        resolve(new FormData(form));
        this.close();
      });
      this.#dialog.addEventListener("close", () => resolve(undefined), { once: true });
      this.show(title, form);
    });
  }
}

/**
 * A field with its label.
 *
 * @param {string} name
 * @param {string} text
 * @param {number} longest characters
 */
export function textField(name, text, longest) {
  const input = element("input");
  input.name = name;
  input.maxLength = longest;
  input.autocomplete = "off";
  return labelled(input, text);
}

/**
 * @param {string} name
 * @param {string} text
 * @param {[value: string, text: string][]} options the first is chosen
 */
export function choiceField(name, text, options) {
  const select = element("select");
  select.name = name;
  for (const [value, shown] of options) select.append(new Option(shown, value));
  return labelled(select, text);
}

/**
 * @param {string} name
 * @param {string} text
 */
export function checkField(name, text) {
  const input = element("input");
  input.type = "checkbox";
  input.name = name;
  return element("label", "check", input, text);
}

/**
 * @param {HTMLInputElement | HTMLSelectElement} field
 * @param {string} text
 */
function labelled(field, text) {
  field.id = `field-${++fields}`;
  const label = element("label", "", text);
  label.htmlFor = field.id;
  return element("div", "field", label, field);
}
