/**
 * The chat as visitors see it: a room in an element of a page, this server's or another site's.
 *
 *     asked for a name --join--> in the room --changes it, or is turned away--> asked again
 *
 * It is shown in a shadow tree, so that neither the page's style nor the chat's gets into the other.
 * livechat.js talks to the server, chat-messages.js shows what is said, chat-people.js who is there.
 * Whatever comes from others is set as text.
 *
 * @import { Chat, StateChange } from "./livechat.js"
 */

import { Messages } from "./chat-messages.js";
import { People } from "./chat-people.js";
import { find } from "./dom.js";
import { connect } from "./livechat.js";

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

const JOIN = shape(`
  <form class="join">
    <p class="error" id="error" role="alert" hidden></p>
    <label for="name">Your name</label>
    <input id="name" required maxlength="${LONGEST_NAME}" autocomplete="nickname" spellcheck="false" placeholder="As others see it">
    <button>Join</button>
  </form>`);

const ROOM = shape(`
  <section class="chat">
    <header>
      <h1 dir="auto"></h1>
      <button class="quiet count" type="button" aria-expanded="false" aria-controls="roster"></button>
    </header>
    <div class="log" tabindex="0" role="log" aria-label="Messages">
      <div>
        <p class="top"><button class="quiet earlier" type="button">Earlier messages</button><span hidden>The conversation begins here.</span></p>
        <ol class="messages said"></ol>
        <ol class="messages waiting"></ol>
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
    <div class="banner" hidden><span role="status"></span> <button class="quiet" type="button">Try now</button></div>
    <form class="composer">
      <label class="unseen" for="text">Message</label>
      <textarea id="text" rows="1" required enterkeyhint="send" autocomplete="off" placeholder="Say something"></textarea>
      <button>Send</button>
    </form>
  </section>`);

/**
 * Put the chat into an element.
 *
 * @param {HTMLElement} element
 * @param {Options} [options]
 */
export async function mount(element, options = {}) {
  const root = element.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = await Promise.all(STYLES.map(style));
  const name = options.name ?? keptName();
  if (name) enter(root, options, name);
  else ask(root, options);
}

/** The name by which this browser's visitor was known last. */
export function keptName() {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} name */
export function keepName(name) {
  try {
    localStorage.setItem(NAME, name);
  } catch {
    // The page may keep nothing: it asks again.
  }
}

/**
 * Ask for a name.
 *
 * @param {ShadowRoot} root
 * @param {Options} options
 * @param {string} [problem] with the one that was given
 */
function ask(root, options, problem) {
  root.replaceChildren(JOIN.cloneNode(true));
  const form = find(root, "form");
  const input = find(root, "input", HTMLInputElement);
  input.value = keptName() || (options.name ?? "");
  if (problem) {
    const error = find(root, ".error");
    error.textContent = problem;
    error.hidden = false;
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", "error");
  }
  if (problem || options.whole) input.focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = input.value.trim();
    if (!name) return;
    keepName(name);
    enter(root, options, name, true);
  });
}

/**
 * Enter the room.
 *
 * @param {ShadowRoot} root
 * @param {Options} options
 * @param {string} name
 * @param {boolean} [asked] whether the visitor was just asked for it
 */
function enter(root, options, name, asked = false) {
  const { url = "../", room, whole = false } = options;
  const chat = connect(new URL(url, import.meta.url), { room, name });
  root.replaceChildren(ROOM.cloneNode(true));
  find(root, "h1").textContent = chat.room;
  find(root, ".chat").setAttribute("aria-label", `Chat in ${chat.room}`);

  const title = document.title;
  const over = new AbortController();
  const tellUnread = (/** @type {number} */ unread) => {
    if (whole) document.title = unread ? `(${unread}) ${title}` : title;
  };
  const messages = new Messages(root, chat, tellUnread, over.signal);
  const people = new People(root);
  const composer = new Composer(root, chat, messages);

  chat.addEventListener("presence", ({ detail }) => people.show(detail, chat.user));
  chat.addEventListener("typing", ({ detail: { user, ttl } }) => {
    if (user.id !== chat.user?.id) people.types(user, ttl);
  });
  chat.addEventListener("message", ({ detail: { user } }) => user && people.typed(user));
  messages.onEdit = (text) => composer.put(text);

  const again = (/** @type {string} */ problem = "") => {
    chat.close();
    over.abort();
    tellUnread(0);
    ask(root, options, problem);
  };
  find(root, ".rename").addEventListener("click", () => again());
  find(root, ".banner button").addEventListener("click", () => chat.reconnect());
  chat.addEventListener("state", ({ detail }) => {
    // It asked to be left, or it was refused, which another name may cure.
    if (detail.state !== "open") people.allTyped();
    if (detail.state === "closed") {
      if (detail.code !== 1000) again(detail.reason);
    } else {
      banner(root, detail);
    }
  });
  banner(root, { state: chat.state });
  if (asked || whole) composer.focus();
}

/**
 * Say how the connection is, where it is not there.
 *
 * @param {ShadowRoot} root
 * @param {StateChange} change
 */
function banner(root, { state, reason }) {
  const place = find(root, ".banner");
  const been = place.dataset.been;
  if (state === "open") place.dataset.been = "here";
  place.hidden = state === "open";
  place.title = reason ?? "";
  const lost = been
    ? "Reconnecting… What you send waits until then."
    : "The server cannot be reached. Trying again…";
  const text = { connecting: been ? lost : "Connecting…", waiting: lost, open: "", closed: "" };
  find(place, "span").textContent = text[state];
  find(place, "button").hidden = state !== "waiting";
}

/** Where one writes. */
class Composer {
  #text;

  /**
   * @param {ShadowRoot} root
   * @param {Chat} chat
   * @param {Messages} messages
   */
  constructor(root, chat, messages) {
    const form = find(root, ".composer", HTMLFormElement);
    const text = (this.#text = find(form, "textarea", HTMLTextAreaElement));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const message = text.value.trim();
      text.value = "";
      text.focus();
      if (message) messages.send(message);
    });
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (text.value.trim()) form.requestSubmit();
    });
    text.addEventListener("input", () => text.value.trim() && chat.typing());
  }

  focus() {
    this.#text.focus();
  }

  /**
   * Put back what could not be sent.
   *
   * @param {string} text
   */
  put(text) {
    this.#text.value = [text, this.#text.value].filter(Boolean).join("\n");
    this.focus();
  }
}

/** @param {string} html of this file's own */
function shape(html) {
  const template = document.createElement("template");
  // Space between tags would be shown where the style keeps the lines of a message.
  template.innerHTML = html.replace(/\n\s*/g, "");
  return template.content;
}

/** @param {string} name */
async function style(name) {
  const sheet = new CSSStyleSheet();
  // A page's policy may forbid other origins' sheets; what a script may fetch it may use.
  const answer = await fetch(new URL(name, import.meta.url), { credentials: "omit" });
  return sheet.replace(await answer.text());
}
