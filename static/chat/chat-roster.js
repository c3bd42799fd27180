/**
 * The people in the room, and those that are writing something.
 *
 * @import { Room } from "./chat-rest.js"
 * @import { Presence, User } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { composes } from "./chat-input.js";
import { isSame, subject } from "./chat-names.js";
import { avatar } from "./chat-people.js";
import { element, find } from "./dom.js";

/** As many as are told by name to be writing. */
const WRITERS = 2;

export class Roster {
  #t;
  #chat;
  #scroller;
  #button;
  #list;
  #more;
  #typing;
  #names;
  #ignored;
  #ignoring;
  /** As people sort names, where the visitor is: by letters, whatever their case, and 9 before 10. */
  #order;
  /** @type {Map<string, { user: User, timer: ReturnType<typeof setTimeout> }>} by subject */
  #writers = new Map();

  /** @param {Room} room */
  constructor({ t, frame, chat, heard, names, ignored, people }) {
    this.#t = t;
    this.#chat = find(frame, ".chat");
    this.#scroller = find(frame, ".scroller");
    this.#button = find(frame, "button.count");
    this.#names = names;
    this.#ignored = ignored;
    this.#ignoring = find(frame, ".ignoring");
    this.#order = new Intl.Collator(t.locale, { numeric: true });
    this.#list = find(frame, ".people");
    this.#more = find(frame, ".roster > .hint");
    this.#typing = find(frame, ".typing");
    this.showIgnored();
    people.hide = () => this.#open(false);
    this.#chat.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || composes(event) || !this.#isOpen) return;
      this.#open(false);
      this.#button.focus();
    });
    new ResizeObserver(() => this.#cover()).observe(this.#chat);
    heard.addEventListener("presence", ({ detail }) => this.#show(detail, chat.user));
    heard.addEventListener("typing", ({ detail: { user, ttl } }) => {
      if (!isSame(user, chat.user)) this.#types(user, ttl);
    });
    heard.addEventListener("message", ({ detail: { user } }) => user && this.#typed(user));
    heard.addEventListener("state", ({ detail: { state } }) => state !== "open" && this.#allTyped());
  }

  get #isOpen() {
    return this.#chat.hasAttribute("data-roster");
  }

  /** Show the list of people where it is hidden, and the other way round. */
  turn() {
    this.#open(!this.#isOpen);
  }

  /** @param {boolean} open */
  #open(open) {
    this.#chat.toggleAttribute("data-roster", open);
    this.#button.setAttribute("aria-expanded", String(open));
    this.#cover();
  }

  /** Show the list always, without a button, if there is room; else it covers the log. */
  #cover() {
    this.#scroller.inert = this.#isOpen && this.#button.clientHeight > 0;
  }

  /**
   * @param {Presence} presence
   * @param {User | null} me
   */
  #show({ users, members }, me) {
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
        this.#ignored.change((people) => people.delete(subject));
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
  #types(user, ttl) {
    if (this.#ignored.has(subject(user))) return;
    clearTimeout(this.#writers.get(subject(user))?.timer);
    const timer = setTimeout(() => this.#typed(user), ttl);
    this.#writers.set(subject(user), { user, timer });
    this.#tell();
  }

  /**
   * Note that a user has stopped typing.
   *
   * @param {User} user
   */
  #typed(user) {
    clearTimeout(this.#writers.get(subject(user))?.timer);
    if (this.#writers.delete(subject(user))) this.#tell();
  }

  /** Forget all users who were typing. */
  #allTyped() {
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
