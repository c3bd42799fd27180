/**
 * The menu of a message's actions: each message has a button, all share one menu.
 *
 * Tab reaches one of the buttons, and the arrow keys lead to the others. The menu is a popover: the
 * browser shows it above everything, and hides it at a click elsewhere.
 *
 * @typedef {[text: string, choose: () => void, kind?: "bad"]} Choice
 *
 * @import { Texts } from "./texts.js"
 */

import { element, find } from "./dom.js";

/** Pixels between the menu and its button, and around it. */
const APART = 4;

export class Menu {
  #t;
  #menu;
  #scroller;
  #said;
  #choices;
  /** @type {HTMLButtonElement | undefined} whose menu it is */
  #button;
  /** @type {HTMLButtonElement | undefined} which Tab reaches */
  #reached;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {(line: HTMLElement) => Choice[]} choices asked for when the menu is opened
   * @param {AbortSignal} over
   */
  constructor(t, frame, choices, over) {
    this.#t = t;
    this.#menu = find(frame, ".menu");
    this.#scroller = find(frame, ".scroller");
    this.#said = find(frame, ".said");
    this.#choices = choices;
    this.#said.addEventListener("click", ({ target }) => {
      const button = target instanceof Element && target.closest(".actions");
      // The browser opens the menu next, or has hidden it.
      if (button instanceof HTMLButtonElement) this.#button = button;
    });
    this.#said.addEventListener("focusin", ({ target }) => {
      if (target instanceof HTMLButtonElement && target.matches(".actions")) this.#reach(target);
    });
    this.#said.addEventListener("keydown", (event) => this.#walk(event));
    this.#menu.addEventListener("keydown", (event) => this.#choose(event));
    this.#menu.addEventListener("beforetoggle", (event) => {
      if (/** @type {ToggleEvent} */ (event).newState === "open") this.#fill();
    });
    this.#menu.addEventListener("toggle", (event) => {
      this.#toggled(/** @type {ToggleEvent} */ (event).newState === "open");
    });
    for (const target of [this.#scroller, globalThis]) {
      target.addEventListener("scroll", () => this.follow(), { signal: over, passive: true });
    }
    globalThis.addEventListener("resize", () => this.follow(), { signal: over });
  }

  /**
   * Give lines their buttons.
   *
   * @param {HTMLElement[]} lines
   */
  offer(lines) {
    for (const line of lines) {
      if (line.matches(".gone")) continue;
      const button = element("button", "quiet actions", "⋯");
      button.type = "button";
      button.tabIndex = -1;
      button.popoverTargetElement = this.#menu;
      button.setAttribute("aria-label", this.#t("room.actions"));
      button.setAttribute("aria-haspopup", "menu");
      button.setAttribute("aria-expanded", "false");
      const when = find(line, ".when");
      // Beyond the time, on either side.
      if (line.matches(".mine")) when.prepend(button);
      else when.append(button);
    }
    const newest = this.#buttons().at(-1);
    if (newest && !this.#reached?.matches(":focus")) this.#reach(newest);
  }

  #buttons() {
    return /** @type {HTMLButtonElement[]} */ ([...this.#said.querySelectorAll(".actions")]);
  }

  /** @param {HTMLButtonElement} button */
  #reach(button) {
    if (this.#reached) this.#reached.tabIndex = -1;
    this.#reached = button;
    button.tabIndex = 0;
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const button = event.target;
    if (!(button instanceof HTMLButtonElement && button.matches(".actions"))) return;
    const buttons = this.#buttons();
    const next = step(buttons, buttons.indexOf(button), event.key);
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  #fill() {
    const line = this.#button?.closest(".message");
    const choices = line instanceof HTMLElement ? this.#choices(line) : [];
    const items = choices.map(([text, choose, kind = ""]) => {
      const item = element("button", `quiet ${kind}`, text);
      item.type = "button";
      item.tabIndex = -1;
      item.setAttribute("role", "menuitem");
      item.addEventListener("click", () => {
        this.#close();
        choose();
      });
      return item;
    });
    this.#menu.replaceChildren(...items);
  }

  /** @param {boolean} open */
  #toggled(open) {
    for (const each of this.#said.querySelectorAll(".actions[aria-expanded=true]")) {
      each.setAttribute("aria-expanded", "false");
    }
    if (!open) return;
    this.#button?.setAttribute("aria-expanded", "true");
    this.follow();
    this.#items()[0]?.focus({ preventScroll: true });
  }

  #items() {
    return /** @type {HTMLButtonElement[]} */ ([...this.#menu.children]);
  }

  /** @param {KeyboardEvent} event */
  #choose(event) {
    const items = this.#items();
    const next = step(items, items.findIndex((each) => each.matches(":focus")), event.key, true);
    if (next) next.focus();
    else if (event.key === "Escape" || event.key === "Tab") this.#close();
    else return;
    // Tab goes on from the button.
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  }

  /** Hide it; the focus goes back to its button. */
  #close() {
    this.#menu.hidePopover();
    this.#button?.focus({ preventScroll: true });
  }

  /** Stay at the button, which may have moved, or be gone. */
  follow() {
    if (!this.#menu.matches(":popover-open")) return;
    if (!this.#button?.isConnected) {
      this.#menu.hidePopover();
      return;
    }
    const { left, right, top, bottom } = this.#button.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#menu;
    const { clientWidth, clientHeight } = document.documentElement;
    const beside = left + width + APART > clientWidth ? right - width : left;
    const below = bottom + APART + height > clientHeight ? top - APART - height : bottom + APART;
    this.#menu.style.left = `${Math.max(APART, beside)}px`;
    this.#menu.style.top = `${Math.max(APART, Math.min(below, clientHeight - height - APART))}px`;
  }
}

/**
 * Find the button to which a key leads.
 *
 * @param {HTMLButtonElement[]} buttons
 * @param {number} from
 * @param {string} key
 * @param {boolean} [round] whether the first comes after the last
 */
function step(buttons, from, key, round = false) {
  const last = buttons.length - 1;
  const to = { ArrowUp: from - 1, ArrowDown: from + 1, Home: 0, End: last }[key];
  if (to === undefined) return undefined;
  return buttons[round ? (to + buttons.length) % buttons.length : Math.max(0, Math.min(to, last))];
}
