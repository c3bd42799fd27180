/**
 * The chat as visitors see it: a room in an element of a page, this server's or another site's.
 *
 *     asked for a name --join--> in the room --is turned away--> asked again
 *     signed in on the site -----> in the room --has to sign in again--> at the door
 *
 * The chat is in a shadow tree, so that neither the page's style nor the chat's gets into the other.
 * livechat.js talks to the server, chat-messages.js shows what is said, and chat-composer.js is where one writes.
 * This module has what a visitor needs first; chat-rest.js, which is loaded when it is there, has all else.  Whatever
 * comes from others is set as text.  What one has typed is kept until it is sent, over reloads.
 *
 * @import { Options } from "./chat.js"
 * @import { Room } from "./chat-rest.js"
 * @import { Chat, StateChange } from "./livechat.js"
 * @import { Catalogue, Texts } from "./texts.js"
 */

import { banner } from "./chat-banner.js";
import { Composer } from "./chat-composer.js";
import { STYLES } from "./chat-css.js";
import { Entrance, isNamed } from "./chat-entrance.js";
import { Host } from "./chat-host.js";
import { Ignored } from "./chat-ignored.js";
import { Tape, later, persist } from "./chat-later.js";
import { Memory, keepName, keptName, onName } from "./chat-memory.js";
import { Messages } from "./chat-messages.js";
import { Names } from "./chat-names.js";
import { People } from "./chat-people.js";
import { ROOM } from "./chat-shapes.js";
import { sheetsOf } from "./chat-style.js";
import { dropToken, keptToken, onArrival } from "./chat-token.js";
import { find, shape } from "./dom.js";
import { connect } from "./livechat.js";
import { locate } from "./livechat-links.js";
import { fill, textsFor } from "./texts.js";

/** Close codes that are about the visitor's identity, and not about the name; chat-door.js says what they mean. */
const AT_DOOR = [4100, 4101, 4401, 4403, 4404];
/** The close code of an invalid name. */
const BAD_NAME = 4400;

/**
 * Begin to put the chat into an element. It may be closed before it is ready.
 *
 * @param {HTMLElement} element
 * @param {Options} options
 * @returns {import("./chat.js").Mounted & { ready: Promise<void> }}
 */
export function start(element, options) {
  const host = new Host(element);
  return { ready: open(host, element, options), close: () => host.close(), look: (look) => host.look(look) };
}

/**
 * @param {Host} host
 * @param {HTMLElement} element
 * @param {Options} options
 */
async function open(host, element, options) {
  const { lang, texts, launcher } = options;
  const [t, launched] = await Promise.all([
    persist(() => textsFor(element, lang, texts), host.over),
    launcher === undefined ? undefined : persist(() => import("./chat-launcher.js"), host.over),
  ]);
  if (!t || !host.isHere) return;
  try {
    const launch = launched && ((/** @type {ShadowRoot} */ root) => new launched.Launcher(t, root, launcher ?? ""));
    new View(t, host.open(t, sheetsOf(STYLES), options, launch), options, host);
  } catch (error) {
    // The page's own content of the element is shown again.
    host.close();
    throw error;
  }
}

/** The chat in an element. */
class View {
  #t;
  #frame;
  #options;
  #host;
  #url;
  #over = new AbortController();
  /** @type {Chat | undefined} */
  #chat;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   * @param {Options} options
   * @param {Host} host
   */
  constructor(t, frame, options, host) {
    this.#t = t;
    this.#frame = frame;
    this.#options = options;
    this.#host = host;
    this.#url = locate(options.url ?? "../", import.meta.url);
    const again = () => (this.#leave(), this.#begin(true));
    if (options.addressed) onArrival(this.#url, again, host.over);
    host.over.addEventListener("abort", () => {
      this.#leave();
      frame.remove();
    });
    this.#begin(Boolean(options.whole));
  }

  /** Load what one does not need first. */
  async #load() {
    const [rest] = await Promise.all([import("./chat-rest.js"), this.#t.more()]);
    this.#host.adopt(sheetsOf(rest.STYLES));
    return rest;
  }

  /**
   * Show something else in place of the room, once it is loaded.
   *
   * @param {(rest: typeof import("./chat-rest.js")) => void} show
   */
  async #replace(show) {
    const over = (this.#over = new AbortController());
    const rest = await persist(() => this.#load(), over.signal);
    if (rest) show(rest);
  }

  /** Leave the room; what waits is for the same visitor, perhaps under another name. */
  #leave() {
    this.#chat?.close({ keep: true });
    this.#over.abort();
  }

  /**
   * Enter, if one knows as whom.
   *
   * @param {boolean} wanted whether the visitor waits for that
   */
  #begin(wanted) {
    const { room } = this.#options;
    if (!isNamed(room)) {
      void this.#replace(({ showMisnamed }) => showMisnamed(this.#t, this.#frame, String(room)));
      return;
    }
    const { name = keptName(), token, addressed, credentials } = this.#options;
    const kept = addressed ? keptToken(this.#url) : undefined;
    if (kept) this.#enter(name, wanted, () => kept, true);
    else if (token) this.#enter(name, wanted, token);
    else if (name || credentials) this.#enter(name, wanted);
    else this.#ask(wanted);
  }

  /**
   * Ask for a name.
   *
   * @param {boolean} wanted whether the visitor waits for that
   * @param {string} [problem] with the one that was given
   */
  #ask(wanted, problem) {
    const over = (this.#over = new AbortController());
    const entrance = new Entrance(this.#t, this.#frame, this.#url, this.#options, over.signal);
    entrance.onRefused = (change) => this.#turnedAway(change, false, false);
    entrance.onName = (name) => {
      over.abort();
      keepName(name);
      this.#enter(name, true);
    };
    // Several chats of a page ask once.
    onName((name) => this.#enter(name, false), over.signal);
    entrance.ask(wanted, problem);
  }

  /**
   * Enter the room.
   *
   * @param {string} name
   * @param {boolean} wanted whether the visitor waits for that
   * @param {() => string | Promise<string>} [token]
   * @param {boolean} [last] whether there is no other token than this one
   */
  #enter(name, wanted, token, last = false) {
    this.#over.abort();
    const { room, whole = false, credentials = whole } = this.#options;
    const source = token && new Source(token);
    const chat = connect(this.#url, { room, name: name || undefined, token: source?.give, credentials });
    this.#chat = chat;
    const isGuest = () => Boolean(source?.isNobody && !chat.user);
    this.#host.follow(chat, isGuest);
    const memory = new Memory(this.#url, chat.room);
    const composer = this.#show(chat, memory);
    chat.addEventListener("rights", () => this.#introduce(chat, memory));
    chat.addEventListener("state", ({ detail }) => {
      const { state, code } = detail;
      if (state === "closed" && code !== 1000) {
        // The visitor was refused, which another name may cure; after what was given up has been told.
        setTimeout(() => this.#chat === chat && this.#turnedAway(detail, token !== undefined, last));
      } else if (state === "waiting" && isGuest()) {
        this.#leave();
        if (name) this.#enter(name, wanted);
        else this.#ask(wanted);
      } else if (state === "waiting" && code === 4100 && last) {
        this.#leave();
        this.#turnedAway(detail, true, last);
      } else if (state !== "closed") {
        banner(this.#t, this.#frame, detail, composer, source?.isNobody);
      }
    });
    banner(this.#t, this.#frame, { state: chat.state }, composer);
    if (wanted) composer.focus();
  }

  /**
   * Show a room.
   *
   * @param {Chat} chat
   * @param {Memory} memory
   */
  #show(chat, memory) {
    const [t, frame, url, options] = [this.#t, this.#frame, this.#url, this.#options];
    frame.replaceChildren(fill(t, shape(ROOM)));
    const over = (this.#over = new AbortController()).signal;
    const called = options.heading || options.called || chat.room;
    find(frame, "h1").textContent = called;
    find(frame, ".chat").setAttribute("aria-label", t("room.chat", { room: called }));
    const names = new Names(t, frame);
    names.mine = () => chat.user?.name ?? "";
    const ignored = new Ignored(t, url);
    const people = new People(t, frame);
    const composer = new Composer(t, frame, chat, memory);
    const messages = new Messages(t, frame, chat, memory, names, ignored, over);
    chat.addEventListener("presence", ({ detail }) => people.count(detail));
    find(frame, ".banner button").addEventListener("click", () => chat.reconnect());
    messages.onUnread = (count) => this.#host.unread(count);
    over.addEventListener("abort", () => this.#host.unread(0));
    const leave = () => this.#leave();
    this.#complete({
      t, frame, url, options, called, chat, heard: new Tape(chat), memory, names, ignored, people, composer, messages, leave, over,
    });
    return composer;
  }

  /**
   * Load the rest of a room. It hears what was said and done before it came.
   *
   * @param {Room} room
   */
  #complete(room) {
    const { frame, chat, people, composer, messages, over } = room;
    const rest = later(async () => {
      const found = await persist(() => this.#load(), over);
      return found && new found.Rest(room);
    });
    messages.unread.onNews = (message, seen) => rest(({ calls }) => calls.hear(message, seen));
    composer.onSend = (message) => {
      people.hide();
      chat.send(message).catch((error) => rest(({ log }) => log.fail({ message }, error)));
      messages.toEnd();
    };
    frame.addEventListener("click", ({ target }) => {
      const found = target instanceof Element && target.closest(".quote, .day button, button.count");
      if (found instanceof HTMLElement) rest((there) => there.click(found));
    }, { signal: over });
    rest(() => {});
  }

  /**
   * See who the visitor is: what is here may be somebody else's.
   *
   * @param {Chat} chat
   * @param {Memory} memory
   */
  #introduce(chat, memory) {
    const room = find(this.#frame, ".chat");
    const subject = chat.user?.verified ? chat.user.id : "";
    if (memory.introduce(subject) || (room.dataset.user ?? subject) !== subject) {
      // Another user has signed in, who must see nothing of the last one.
      this.#leave();
      this.#begin(false);
      return;
    }
    room.dataset.user = subject;
  }

  /**
   * @param {StateChange} change
   * @param {boolean} known whether there was a token
   * @param {boolean} last whether there is no other token
   */
  #turnedAway(change, known, last) {
    const wanted = Boolean(this.#options.whole) || isFocused(this.#frame);
    const { code = 0, reason } = change;
    this.#leave();
    if (!AT_DOOR.includes(code)) {
      // The server's words, which are English, for a code that the catalogue does not know.
      this.#ask(wanted, code === BAD_NAME ? this.#t("join.refused") : reason);
      return;
    }
    const again = () => this.#begin(true);
    const asGuest = () => (dropToken(this.#url), this.#begin(true));
    const now = this.#chat?.now() ?? Date.now();
    void this.#replace(({ showDoor }) => {
      showDoor(this.#t, this.#frame, change, known, again, last ? asGuest : undefined, now);
      if (wanted) find(this.#frame, "button").focus();
    });
  }
}

/** A function that gives tokens, and whether its last word was that nobody is signed in. */
class Source {
  isNobody = false;
  #token;

  /** @param {() => string | Promise<string>} token */
  constructor(token) {
    this.#token = token;
  }

  give = async () => {
    this.isNobody = false;
    const token = await this.#token();
    this.isNobody = !token;
    return token;
  };
}

/** @param {HTMLElement} frame */
function isFocused(frame) {
  return /** @type {ShadowRoot} */ (frame.getRootNode()).activeElement !== null;
}
