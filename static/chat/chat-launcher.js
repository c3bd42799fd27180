/**
 * A button in a corner of the page, with the number of unread messages, that opens the chat in a panel.
 *
 * The panel is no modal dialog: the page goes on. Escape closes it, if nothing in the chat is open that it closes first.
 *
 * @import { Texts } from "./texts.js"
 */

import { composes } from "./chat-input.js";
import { STYLES } from "./chat-launcher-css.js";
import { sheetsOf } from "./chat-style.js";
import { find, shape } from "./dom.js";
import { fill } from "./texts.js";

/** More are not counted on the button. */
const MOST = 99;
/** Parts that take the focus when the panel opens: the first that is shown. */
const FIRST = ["input", "textarea", ".scroller", "button"];
/** Parts that Escape closes before it closes the panel. */
const ABOVE = "dialog[open], :popover-open, [data-roster]";

const DOCK = `
  <div class="dock">
    <button class="launcher" part="launcher" type="button" aria-expanded="false" aria-controls="panel">
      <svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true"><path d="M4 4h16v12H9l-5 4z"/></svg>
      <span class="label" aria-hidden="true"></span>
      <span class="badge" aria-hidden="true" hidden></span>
      <span class="unseen"></span>
    </button>
    <div class="panel" id="panel" part="panel" role="dialog" hidden>
      <button class="quiet shut" type="button" data-t-aria-label="launcher.close">✕</button>
      <div class="frame"></div>
    </div>
  </div>`;

export class Launcher {
  #t;
  #text;
  #button;
  #badge;
  #name;
  #panel;
  /** Tell whether Escape has something else to close. */
  #busy = false;

  /**
   * @param {Texts} t
   * @param {ShadowRoot} root
   * @param {string} text on the button; empty for none
   */
  constructor(t, root, text) {
    root.adoptedStyleSheets.push(...sheetsOf(STYLES));
    root.replaceChildren(fill(t, shape(DOCK)));
    const dock = find(root, ".dock");
    this.#t = t;
    this.#text = text || t("launcher.open");
    this.#button = find(root, ".launcher", HTMLButtonElement);
    this.#badge = find(root, ".badge");
    this.#name = find(root, ".unseen");
    this.#panel = find(root, ".panel");
    this.#panel.setAttribute("aria-label", this.#text);
    const label = find(root, ".label");
    label.textContent = text;
    label.hidden = !text;
    find(root, ".shut").addEventListener("click", () => this.#show(false));
    this.#button.addEventListener("click", () => this.#show(this.#panel.hidden));
    dock.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.#busy = this.#panel.querySelector(ABOVE) !== null;
    }, { capture: true });
    dock.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || composes(event) || this.#busy || this.#panel.hidden) return;
      this.#show(false);
    });
    this.count(0);
  }

  /** @param {boolean} shown */
  #show(shown) {
    if (shown) this.#place();
    this.#panel.hidden = !shown;
    this.#button.setAttribute("aria-expanded", String(shown));
    if (shown) this.#enter();
    else this.#button.focus();
  }

  /** Give the focus to where one writes; else to where one reads. */
  #enter() {
    const frame = find(this.#panel, ".frame");
    const all = FIRST.flatMap((each) => /** @type {HTMLElement[]} */ ([...frame.querySelectorAll(each)]));
    (all.find((each) => each.checkVisibility()) ?? find(this.#panel, ".shut")).focus();
  }

  /** Open towards the middle of the window, wherever the page has put the button. */
  #place() {
    const { left, top, width, height } = this.#button.getBoundingClientRect();
    this.#panel.dataset.side = left + width / 2 < innerWidth / 2 ? "left" : "right";
    this.#panel.dataset.edge = top + height / 2 < innerHeight / 2 ? "top" : "bottom";
  }

  /** @param {number} unread */
  count(unread) {
    this.#badge.hidden = !unread;
    this.#badge.textContent = unread > MOST ? `${MOST}+` : String(unread);
    const name = unread ? this.#t("launcher.unread", { label: this.#text, count: unread }) : this.#text;
    this.#name.textContent = name;
  }
}
