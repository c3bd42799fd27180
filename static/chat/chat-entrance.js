/**
 * The entrance of a room: which room it is, how many are there, who can read it, and what was said last, before a
 * name is asked for.
 *
 * The title may be anybody's words, which came with the link: that is said, too.
 *
 * @import { Options } from "./chat.js"
 * @import { Message, Settings, StateChange } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { keptName, knownKey } from "./chat-memory.js";
import { Ignored } from "./chat-ignored.js";
import { Names, subject } from "./chat-names.js";
import { JOIN } from "./chat-shapes.js";
import { element, find, shape } from "./dom.js";
import { Address, ask } from "./livechat-links.js";
import { Tokens } from "./livechat-token.js";
import { fill } from "./texts.js";

/** Messages that are shown, and characters of each. */
const LAST = 5;
const LONGEST = 300;
/** Close codes that stand for errors with which nobody is let in. */
const REFUSED = /** @type {Record<string, number>} */ ({
  token_expired: 4100, token_revoked: 4101, unauthorized: 4401, forbidden: 4403, banned: 4403, room_closed: 4404,
});

/** The room that is meant where none is named. */
const USUAL_ROOM = "lobby";
/** As the server has it. */
const ROOM_NAME = /^(?!\.\.?$)[\w.~-]{1,128}$/;

/** @param {string} [room] */
export const isNamed = (room = USUAL_ROOM) => ROOM_NAME.test(room);

/** @typedef {{ users: number, settings: Settings, messages?: Message[] }} Found */

export class Entrance {
  /** Is told the name that the visitor gives. */
  onName = (/** @type {string} */ _name) => {};
  /** Is told why nobody is let in. */
  onRefused = (/** @type {StateChange} */ _change) => {};
  #t;
  #frame;
  #url;
  #options;
  #room;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {URL} url
   * @param {Options} options
   * @param {AbortSignal} over
   */
  constructor(t, frame, url, options, over) {
    this.#t = t;
    this.#frame = frame;
    this.#url = url;
    this.#options = options;
    this.#room = options.room ?? USUAL_ROOM;
    frame.replaceChildren(fill(t, shape(JOIN)));
    this.#call();
    // A chat that nobody sees asks nothing.
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      seen.disconnect();
      void this.#look(over);
    });
    seen.observe(find(frame, ".about"));
    over.addEventListener("abort", () => seen.disconnect());
  }

  /**
   * Ask for a name.
   *
   * @param {boolean} wanted whether the visitor waits for that
   * @param {string} [problem] with the one that was given
   */
  ask(wanted, problem) {
    const input = find(this.#frame, "input", HTMLInputElement);
    input.value = keptName() || (this.#options.name ?? "");
    if (problem) {
      const error = find(this.#frame, ".error");
      error.textContent = problem;
      error.hidden = false;
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", "error");
    }
    if (wanted) input.focus();
    find(this.#frame, "form").addEventListener("submit", (event) => {
      event.preventDefault();
      const name = input.value.trim();
      if (name) this.onName(name);
    });
  }

  /** @param {string} [title] of the room's own */
  #call(title) {
    const called = title ? undefined : this.#options.called;
    find(this.#frame, "h1").textContent = title || called || this.#options.heading || this.#room;
    const doubt = find(this.#frame, ".unconfirmed");
    doubt.hidden = !called;
    doubt.replaceChildren(...this.#t.nodes("entrance.unconfirmed", { room: element("bdi", "", this.#room) }));
  }

  /** @param {AbortSignal} over */
  async #look(over) {
    const { whole = false, credentials = whole } = this.#options;
    const address = new Address(this.#url, this.#room, undefined, "", new Tokens(undefined), credentials);
    // A known key makes the server refuse a banned visitor here; a stranger gets none before a name.
    const key = knownKey(address.base.href);
    const url = address.http("chat/rooms/", [["last", String(LAST)], ...(key ? [["client", key]] : [])]);
    const options = { credentials: address.credentials };
    const { answer, problem } = await ask(url, options, (found) => /** @type {Promise<Found>} */ (found.json()));
    if (over.aborted) return;
    const code = REFUSED[problem?.code ?? ""];
    if (answer) this.#show(answer);
    else if (code) this.onRefused({ state: "closed", code, reason: problem?.detail });
  }

  /** @param {Found} found */
  #show({ users, settings, messages }) {
    const { title, members, guests = "on" } = settings;
    this.#call(title);
    const open = members || guests === "off" ? "entrance.members" : guests === "on" ? "entrance.open" : "entrance.read";
    const people = users ? this.#t("entrance.people", { count: users }) : this.#t("entrance.nobody");
    const facts = [people, this.#t(open)];
    find(this.#frame, ".facts").textContent = facts.join(" ");
    const ignored = new Ignored(this.#t, this.#url);
    const shown = messages?.filter(({ user }) => !(user && ignored.has(subject(user)))) ?? [];
    const list = find(this.#frame, ".last");
    const names = new Names(this.#t, this.#frame);
    list.replaceChildren(...shown.map((message) => line(names, message)));
    // Nothing is there, or nobody may know.
    find(this.#frame, ".silent").hidden = !messages || messages.length > 0;
    list.hidden = !shown.length;
    list.scrollTop = list.scrollHeight;
  }
}

/**
 * @param {Names} names
 * @param {Message} message
 */
function line(names, { user, message }) {
  const text = element("span", "", Array.from(message.slice(0, 2 * LONGEST)).slice(0, LONGEST).join(""));
  text.dir = "auto";
  return element("li", "", element("b", "", names.show(user)), " ", text);
}
