/**
 * The chat as visitors see it: a room in an element of a page, this server's or another site's.
 *
 *     asked for a name --join--> in the room --changes it, or is turned away--> asked again
 *
 * It is shown in a shadow tree, so that neither the page's style nor the chat's gets into the other.
 * livechat.js talks to the server, chat-messages.js shows what is said, chat-people.js who is there,
 * and chat-composer.js is where one writes.
 * Whatever comes from others is set as text.  What one has typed is kept until it is sent, over
 * reloads and changes of the name.
 *
 * @import { Chat, StateChange } from "./livechat.js"
 */

import { Composer } from "./chat-composer.js";
import { Messages } from "./chat-messages.js";
import { Names } from "./chat-names.js";
import { People } from "./chat-people.js";
import { find, shape } from "./dom.js";
import { connect } from "./livechat.js";
import { Kept } from "./livechat-outbox.js";

/**
 * @typedef {object} Options
 * @property {string | URL} [url] the server; unless said, the one that this came from
 * @property {string} [room]
 * @property {string} [name] the visitor's; unless said, it is asked for
 * @property {boolean} [whole] whether the page is there for nothing else
 */

const NAME = "livechat:name";
const LONGEST_NAME = 40;
const STYLES = ["livechat.css", "chat.css"];
/** What a rem is in the style, which the page around may have made anything. */
const UNIT = "--livechat-rem";

const JOIN = `
  <form class="join">
    <p class="error" id="error" role="alert" hidden></p>
    <label for="name">Your name</label>
    <input id="name" required maxlength="${LONGEST_NAME}" autocomplete="nickname" spellcheck="false" placeholder="As others see it">
    <button>Join</button>
  </form>`;

const ROOM = `
  <section class="chat">
    <header>
      <h1 dir="auto"></h1>
      <span class="count"></span>
      <button class="quiet count" type="button" aria-expanded="false" aria-controls="roster"></button>
    </header>
    <div class="scroller" tabindex="0" role="group" aria-label="Messages">
      <div>
        <p class="top"><button class="quiet earlier" type="button">Earlier messages</button><span hidden>The conversation begins here.</span></p>
        <div role="log" aria-label="Messages"><ol class="messages said"></ol></div>
        <ol class="messages waiting" aria-label="Not sent yet"></ol>
      </div>
    </div>
    <button class="newer" type="button" hidden></button>
    <aside class="roster" id="roster" aria-labelledby="roster-title">
      <h2 id="roster-title">People</h2>
      <ul></ul>
      <p class="hint" hidden></p>
      <button class="quiet rename" type="button">Change your name</button>
    </aside>
    <p class="typing"></p>
    <p class="unseen" role="status"></p>
    <div class="banner" hidden><span></span> <button class="quiet" type="button">Try now</button></div>
    <form class="composer">
      <p class="error" id="unsendable" role="alert" hidden></p>
      <div class="aim" hidden><span id="aim"></span> <button class="quiet" type="button">Cancel</button></div>
      <label class="unseen" for="text">Message</label>
      <textarea id="text" rows="1" required enterkeyhint="send" autocomplete="off" placeholder="Say something"></textarea>
      <button class="send">Send</button>
    </form>
    <div class="menu" role="menu" aria-label="Message actions" popover></div>
  </section>`;

/**
 * Put the chat into an element.
 *
 * @param {HTMLElement} element
 * @param {Options} [options]
 * @returns {Promise<{ close: () => void }>} which takes it out again; rejected where its style cannot
 *   be had
 */
export async function mount(element, options = {}) {
  const styles = await Promise.all(STYLES.map(style));
  const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = styles;
  root.replaceChildren(shape('<div class="frame" lang="en"></div>'));
  const view = new View(find(root, ".frame"), options);
  return { close: () => view.close() };
}

/** The name by which this browser's visitor was known last. */
export const keptName = () => new Kept("localStorage").get(NAME) ?? "";

/** @param {string} name */
export const keepName = (name) => void new Kept("localStorage").set(NAME, name);

/** What is shown in an element. */
class View {
  #frame;
  #options;
  #url;
  #over = new AbortController();
  /** @type {Chat | undefined} */
  #chat;

  /**
   * @param {HTMLElement} frame
   * @param {Options} options
   */
  constructor(frame, options) {
    this.#frame = frame;
    this.#options = options;
    this.#url = new URL(options.url ?? "../", import.meta.url);
    const name = options.name ?? keptName();
    if (name) this.#enter(name, Boolean(options.whole));
    else this.#ask(Boolean(options.whole));
  }

  close() {
    this.#over.abort();
    this.#chat?.close();
    this.#frame.remove();
  }

  /**
   * Ask for a name.
   *
   * @param {boolean} wanted whether the visitor waits for that
   * @param {string} [problem] with the one that was given
   */
  #ask(wanted, problem) {
    this.#frame.replaceChildren(shape(JOIN));
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
      if (!name) return;
      keepName(name);
      this.#enter(name, true);
    });
  }

  /**
   * Enter the room.
   *
   * @param {string} name
   * @param {boolean} wanted whether the visitor waits for that
   */
  #enter(name, wanted) {
    const { room, whole = false } = this.#options;
    const frame = this.#frame;
    const chat = (this.#chat = connect(this.#url, { room, name }));
    frame.replaceChildren(shape(ROOM));
    find(frame, "h1").textContent = chat.room;
    find(frame, ".chat").setAttribute("aria-label", `Chat in ${chat.room}`);

    const over = (this.#over = new AbortController());
    const title = document.title;
    const tellUnread = (/** @type {number} */ unread) => {
      if (whole) document.title = unread ? `(${unread}) ${title}` : title;
    };
    over.signal.addEventListener("abort", () => tellUnread(0));

    const memory = new Memory(this.#url, chat.room);
    const names = new Names(frame);
    const people = new People(frame, names);
    const composer = new Composer(frame, chat, memory);
    const messages = new Messages(frame, chat, composer, memory, names, tellUnread, over.signal);
    composer.onSend = (message, aim) => {
      people.hide();
      messages.send(message, aim);
    };
    chat.addEventListener("presence", ({ detail }) => people.show(detail, chat.user));
    chat.addEventListener("typing", ({ detail: { user, ttl } }) => {
      if (user.id !== chat.user?.id) people.types(user, ttl);
    });
    chat.addEventListener("message", ({ detail: { user } }) => user && people.typed(user));

    const again = (/** @type {boolean} */ asked, /** @type {string} */ problem = "") => {
      // What waits is for the same visitor under another name.
      chat.close({ keep: true });
      over.abort();
      this.#ask(asked, problem);
    };
    find(frame, ".rename").addEventListener("click", () => again(true));
    find(frame, ".banner button").addEventListener("click", () => chat.reconnect());
    chat.addEventListener("state", ({ detail }) => {
      if (detail.state !== "open") people.allTyped();
      if (detail.state !== "closed") banner(frame, detail, composer);
      // It was refused, which another name may cure; after what was given up has been told.
      else if (detail.code !== 1000) setTimeout(() => again(whole || isFocused(frame), detail.reason));
    });
    banner(frame, { state: chat.state }, composer);
    if (wanted) composer.focus();
  }
}

/** @param {HTMLElement} frame */
function isFocused(frame) {
  return /** @type {ShadowRoot} */ (frame.getRootNode()).activeElement !== null;
}

/**
 * Say how the connection is, where it is not there.
 *
 * @param {HTMLElement} frame
 * @param {StateChange} change
 * @param {Composer} composer
 */
function banner(frame, { state, code, reason }, composer) {
  const place = find(frame, ".banner");
  const button = find(place, "button");
  const been = place.dataset.been;
  const lost = been
    ? "Reconnecting… What you send waits until then."
    : "The server cannot be reached. Trying again…";
  const waiting = code === 4403 ? "This page may not use the chat: the chat’s operator has to allow it." : lost;
  const text = { connecting: been ? lost : "Connecting…", waiting, open: "", closed: "" }[state];
  if (state !== "waiting" && button.matches(":focus")) composer.focus();
  place.hidden = !text;
  place.title = reason ?? "";
  find(place, "span").textContent = text;
  button.hidden = state !== "waiting";
  const status = find(frame, "[role=status]");
  const told = state === "open" && been ? "Connected." : text;
  if (status.textContent !== told) status.textContent = told;
  if (state === "open") place.dataset.been = "here";
}

/** What is kept of a visitor, in a room. */
export class Memory {
  #browser = new Kept("localStorage");
  #tab = new Kept("sessionStorage");
  #room;

  /**
   * @param {URL} url
   * @param {string} room
   */
  constructor(url, room) {
    this.#room = JSON.stringify([url.href, room]);
  }

  /** @param {"draft" | "failed" | "seen"} what */
  #where(what) {
    return what === "seen" ? this.#browser : this.#tab;
  }

  /** @param {"draft" | "failed" | "seen"} what */
  read(what) {
    return this.#where(what).get(`livechat:${what}:${this.#room}`) ?? "";
  }

  /**
   * @param {"draft" | "failed" | "seen"} what
   * @param {string} text
   */
  write(what, text) {
    if (text !== this.read(what)) this.#where(what).set(`livechat:${what}:${this.#room}`, text);
  }

  /** @returns {import("./chat-unsent.js").Failed[]} what could not be sent, and why */
  get failed() {
    try {
      return JSON.parse(this.read("failed"));
    } catch {
      return [];
    }
  }

  set failed(failed) {
    this.write("failed", JSON.stringify(failed));
  }
}

/**
 * A style sheet of this server's.
 *
 * @param {string} name
 */
async function style(name) {
  // A page's policy may forbid other origins' sheets; what a script may fetch it may use.
  const answer = await fetch(new URL(name, import.meta.url), { credentials: "omit" });
  if (!answer.ok) throw new Error(`${name} cannot be had: ${answer.status}.`);
  const text = await answer.text();
  return new CSSStyleSheet().replace(text.replace(/([\d.]+)rem\b/g, `calc($1 * var(${UNIT}))`));
}

try {
  CSS.registerProperty({ name: UNIT, syntax: "<length>", inherits: true, initialValue: "16px" });
} catch {
  // It was registered before, by another copy of this.
}
