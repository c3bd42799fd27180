/**
 * Who is in the room, and who is writing something.
 *
 * @import { Ignored } from "./chat-ignored.js"
 * @import { Names } from "./chat-names.js"
 * @import { Presence, User } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { composes } from "./chat-input.js";
import { isSame, subject } from "./chat-names.js";
import { element, find } from "./dom.js";

/** As many as are told by name to be writing. */
const WRITERS = 2;

export class People {
  #t;
  #chat;
  #scroller;
  #list;
  #more;
  #counts;
  #button;
  #typing;
  #names;
  #ignored;
  #ignoring;
  /** As people sort names, where the visitor is: by letters, whatever their case, and 9 before 10. */
  #order;
  /** @type {Map<string, { user: User, timer: ReturnType<typeof setTimeout> }>} by subject */
  #writers = new Map();

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {Names} names
   * @param {Ignored} ignored
   */
  constructor(t, frame, names, ignored) {
    this.#t = t;
    this.#names = names;
    this.#ignored = ignored;
    this.#ignoring = find(frame, ".ignoring");
    this.#order = new Intl.Collator(t.locale, { numeric: true });
    this.showIgnored();
    this.#chat = find(frame, ".chat");
    this.#scroller = find(frame, ".scroller");
    this.#list = find(frame, ".people");
    this.#more = find(frame, ".roster > .hint");
    this.#counts = frame.querySelectorAll(".count");
    this.#button = find(frame, "button.count");
    this.#typing = find(frame, ".typing");
    this.#button.addEventListener("click", () => this.#show(!this.#chat.hasAttribute("data-roster")));
    this.#chat.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || composes(event) || !this.#chat.hasAttribute("data-roster")) return;
      this.hide();
      this.#button.focus();
    });
    new ResizeObserver(() => this.#cover()).observe(this.#chat);
  }

  /** @param {boolean} shown */
  #show(shown) {
    this.#chat.toggleAttribute("data-roster", shown);
    this.#button.setAttribute("aria-expanded", String(shown));
    this.#cover();
  }

  /** Where there is room for it, the list is always there, and the button is not; else it covers the log. */
  #cover() {
    this.#scroller.inert = this.#chat.hasAttribute("data-roster") && this.#button.clientHeight > 0;
  }

  /** Hide the list of people where it covers what is said. */
  hide() {
    this.#show(false);
  }

  /**
   * @param {Presence} presence
   * @param {User | null} me
   */
  show({ users, members }, me) {
    const text = this.#t("people.count", { count: users });
    for (const each of this.#counts) each.textContent = text;
    const named = [...members].sort(
      (one, other) =>
        Number(isSame(other, me)) - Number(isSame(one, me)) || this.#order.compare(one.name, other.name),
    );
    this.#list.replaceChildren(...named.map((user) => this.#person(user, isSame(user, me))));
    const others = users - members.length;
    this.#more.hidden = others <= 0;
    this.#more.textContent = this.#t(members.length ? "people.more" : "people.count", { count: others });
  }

  /**
   * @param {User} user
   * @param {boolean} me
   */
  #person(user, me) {
    const note = me ? [element("small", "", ` ${this.#t("people.me")}`)] : [];
    return element("li", "", avatar(user), this.#names.show(user), ...note);
  }

  /** List those whom the visitor ignores, each with the way back. */
  showIgnored() {
    const rows = this.#ignored.people.map(([subject, name]) => {
      const button = element("button", "quiet", this.#t("people.undo"));
      button.type = "button";
      button.setAttribute("aria-label", this.#t("people.undo-ignore", { name }));
      button.addEventListener("click", () => {
        this.#ignored.remove(subject);
        this.#list.parentElement?.focus();
      });
      return element("li", "", element("bdi", "", name), button);
    });
    find(this.#ignoring, "ul").replaceChildren(...rows);
    this.#ignoring.hidden = !rows.length;
  }

  /**
   * @param {User} user
   * @param {number} ttl milliseconds
   */
  types(user, ttl) {
    if (this.#ignored.has(subject(user))) return;
    clearTimeout(this.#writers.get(subject(user))?.timer);
    const timer = setTimeout(() => this.typed(user), ttl);
    this.#writers.set(subject(user), { user, timer });
    this.#tell();
  }

  /**
   * It is no longer writing.
   *
   * @param {User} user
   */
  typed(user) {
    clearTimeout(this.#writers.get(subject(user))?.timer);
    if (this.#writers.delete(subject(user))) this.#tell();
  }

  /** Nobody is known to write anything any more. */
  allTyped() {
    for (const { timer } of this.#writers.values()) clearTimeout(timer);
    this.#writers.clear();
    this.#tell();
  }

  #tell() {
    const writers = [...this.#writers.values()];
    this.#typing.replaceChildren();
    if (writers.length > WRITERS) {
      this.#typing.append(this.#t("typing.many"));
    } else if (writers.length) {
      const [name, other] = writers.map(({ user }) => this.#names.show(user));
      this.#typing.append(...this.#t.nodes(other ? "typing.two" : "typing.one", { name, other }));
    }
  }
}

/**
 * What stands for somebody beside the name: a letter, in a colour that is always the same.
 *
 * @param {User | undefined} user
 */
export function avatar(user) {
  const made = element("span", "avatar", [...(user?.name.trim() ?? "")].at(0)?.toUpperCase() ?? "?");
  made.setAttribute("aria-hidden", "true");
  const hue = [...(user?.id ?? "")].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) % 360, 0);
  made.style.setProperty("--hue", String(hue));
  return made;
}
