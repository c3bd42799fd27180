/**
 * The chat as visitors see it: a room in an element of a page, this server's or another site's.
 *
 *     asked for a name --join--> in the room --is turned away--> asked again
 *     signed in on the site -----> in the room --has to sign in again--> at the door
 *
 * It is shown in a shadow tree, so that neither the page's style nor the chat's gets into the other.
 * livechat.js talks to the server, chat-messages.js shows what is said, chat-people.js who is there,
 * chat-composer.js is where one writes, chat-naming.js where one takes another name, and chat-moderate.js
 * has what there is to do about others.  Whatever comes from others is set as text.  What one has typed
 * is kept until it is sent, over reloads.
 *
 * @import { Chat, StateChange } from "./livechat.js"
 * @import { Catalogue, Texts } from "./texts.js"
 */

import { banner } from "./chat-banner.js";
import { Calls } from "./chat-calls.js";
import { Cases } from "./chat-cases.js";
import { Composer } from "./chat-composer.js";
import { STYLES } from "./chat-css.js";
import { Days } from "./chat-days.js";
import { Dialog } from "./chat-dialog.js";
import { isAtDoor, showDoor, whyAgain, whyMute } from "./chat-door.js";
import { Entrance, isNamed } from "./chat-entrance.js";
import { Head } from "./chat-head.js";
import { Host } from "./chat-host.js";
import { Ignored } from "./chat-ignored.js";
import { Invitation } from "./chat-invite.js";
import { Memory, keepName, keptName, onName } from "./chat-memory.js";
import { Messages } from "./chat-messages.js";
import { Moderation, teller } from "./chat-moderate.js";
import { Names, isSame } from "./chat-names.js";
import { Naming } from "./chat-naming.js";
import { Pace } from "./chat-pace.js";
import { People } from "./chat-people.js";
import { SaidBy } from "./chat-said.js";
import { ROOM } from "./chat-shapes.js";
import { dropToken, keptToken, onArrival } from "./chat-token.js";
import { find, shape } from "./dom.js";
import { connect } from "./livechat.js";
import { locate } from "./livechat-links.js";
import { fill, textsFor } from "./texts.js";

/**
 * @typedef {object} Options
 * @property {string | URL} [url] the server; unless said, the one that this came from
 * @property {string} [room]
 * @property {string} [name] the visitor's; unless said, it is asked for
 * @property {() => string | Promise<string>} [token] gives a token of the visitor's, who has a name by it;
 *   an empty text for a visitor who is not signed in, and so is a guest
 * @property {boolean} [addressed] whether a token may come in the page's address (`takeTokens`)
 * @property {boolean} [credentials] whether the visitor is known by a cookie of the server's
 * @property {string} [lang] a language tag; unless said, the language of the page around, or the browser's
 * @property {Partial<Catalogue>} [texts] texts to say instead of the catalogue's
 * @property {string} [heading] what the page calls the room, where it has no title
 * @property {string} [called] what the link to the page calls the room
 * @property {boolean} [whole] whether the page is there for nothing else
 * @property {string} [launcher] the text on a button that opens the chat in a panel; unless said, there is none
 * @property {string} [theme] `light` or `dark`; unless said, as the page's `color-scheme` says
 * @property {string} [without] parts that are left out, with blanks between: `header`, `roster`, `composer`
 */
/**
 * @typedef {object} Mounted
 * @property {() => void} close takes it out again
 * @property {(look: import("./chat-host.js").Look) => void} look changes the theme, and what is left out
 */

/** What a rem is in the style, which the page around may have made anything. */
const UNIT = "--livechat-rem";

/** @type {Record<string, Promise<CSSStyleSheet>>} made once for all chats of a page */
const sheets = {};

/**
 * Put the chat into an element, which has one at most: a chat that is there already ends.
 *
 * @param {HTMLElement} element
 * @param {Options} [options]
 * @returns {Promise<Mounted>}
 */
export async function mount(element, options = {}) {
  const host = new Host(element);
  const names = ["livechat.css", "chat.css", ...(options.launcher === undefined ? [] : ["launcher.css"])];
  const [t, ...styles] = await Promise.all([textsFor(element, options.lang, options.texts), ...names.map(style)]);
  if (host.isHere) {
    try {
      const view = new View(t, host.open(t, styles, options), options, host);
      host.onClose = () => view.close();
    } catch (error) {
      // The page's own content of the element is shown again.
      host.close();
      throw error;
    }
  }
  return { close: () => host.close(), look: (look) => host.look(look) };
}

/** What is shown in an element. */
class View {
  #t;
  #frame;
  #options;
  #host;
  #url;
  #closed = new AbortController();
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
    if (options.addressed) onArrival(this.#url, again, this.#closed.signal);
    this.#begin(Boolean(options.whole));
  }

  close() {
    this.#closed.abort();
    this.#leave();
    this.#frame.remove();
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
    if (!isNamed(this.#t, this.#frame, this.#options.room)) return;
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
    const { composer, people } = this.#show(chat, memory);
    const naming = new Naming(this.#t, this.#frame, chat);
    chat.addEventListener("rights", () => {
      this.#offer(chat, composer, memory);
      naming.show();
    });
    chat.addEventListener("settings", () => this.#bar(chat, composer));
    chat.addEventListener("state", ({ detail }) => {
      const { state, code } = detail;
      if (state !== "open") people.allTyped();
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
    const [t, frame] = [this.#t, this.#frame];
    frame.replaceChildren(fill(t, shape(ROOM)));
    const over = (this.#over = new AbortController());
    const names = new Names(t, frame);
    names.mine = () => chat.user?.name ?? "";
    const ignored = new Ignored(t, this.#url);
    const people = new People(t, frame, names, ignored);
    const composer = new Composer(t, frame, chat, memory);
    const unread = (/** @type {number} */ count) => this.#host.unread(count);
    const calls = new Calls(t, frame, chat, names, Boolean(this.#options.whole), unread, over.signal);
    const messages = new Messages(t, frame, chat, composer, memory, names, ignored, calls, over.signal);
    calls.jump = (seq) => void messages.jump(seq);
    new Pace(t, frame, chat, composer, over.signal);
    const { called, heading } = this.#options;
    const head = new Head(t, frame, heading || called || chat.room, (seq) => messages.quote(seq));
    chat.addEventListener("settings", ({ detail }) => head.show(detail));
    chat.addEventListener("gap", ({ detail: { reason } }) => reason === "epoch" && head.renew());
    ignored.onChange = () => {
      messages.fold();
      people.showIgnored();
    };
    this.#moderate(chat, names, ignored, messages);
    composer.onSend = (message, aim) => {
      people.hide();
      messages.send(message, aim);
    };
    chat.addEventListener("presence", ({ detail }) => people.show(detail, chat.user));
    chat.addEventListener("typing", ({ detail: { user, ttl } }) => {
      if (!isSame(user, chat.user)) people.types(user, ttl);
    });
    chat.addEventListener("message", ({ detail: { user } }) => user && people.typed(user));
    find(frame, ".banner button").addEventListener("click", () => chat.reconnect());
    return { composer, people };
  }

  /**
   * Let people report and ignore each other, and those that moderate do so.
   *
   * @param {Chat} chat
   * @param {Names} names
   * @param {Ignored} ignored
   * @param {Messages} messages
   */
  #moderate(chat, names, ignored, messages) {
    const frame = this.#frame;
    const dialog = new Dialog(frame);
    const tell = teller(frame, this.#over.signal);
    const jump = (/** @type {number} */ seq) => void messages.jump(seq);
    const said = new SaidBy(this.#t, chat, dialog, jump);
    const moderation = new Moderation(this.#t, chat, dialog, ignored, tell, (person) => said.show(person));
    said.moderation = moderation;
    messages.more = (line) => moderation.choices(line);
    new Cases(this.#t, frame, chat, dialog, moderation, names, jump, tell);
    new Days(this.#t, frame, chat, dialog, jump, tell, this.#over.signal);
    const leave = () => (this.#leave(), location.assign(this.#url));
    new Invitation(this.#t, frame, chat, this.#url, this.#options, { dialog, tell, leave });
  }

  /**
   * Offer what the visitor may do.
   *
   * @param {Chat} chat
   * @param {Composer} composer
   * @param {Memory} memory
   */
  #offer(chat, composer, memory) {
    const room = find(this.#frame, ".chat");
    const subject = chat.user?.verified ? chat.user.id : "";
    if (memory.introduce(subject) || (room.dataset.user ?? subject) !== subject) {
      // Somebody else has signed in: nothing here is theirs.
      this.#leave();
      this.#begin(false);
      return;
    }
    room.dataset.user = subject;
    this.#bar(chat, composer);
  }

  /**
   * Open the composer, or say why the visitor may not write.
   *
   * @param {Chat} chat
   * @param {Composer} composer
   */
  #bar(chat, composer) {
    const [barred, reason = ""] = whyMute(this.#t, chat);
    if (composer.allow(barred, reason)) find(this.#frame, "[role=status]").textContent = barred + reason;
    find(this.#frame, ".chat").toggleAttribute("data-barred", Boolean(barred));
  }

  /**
   * @param {StateChange} change
   * @param {boolean} known whether there was a token
   * @param {boolean} last whether there is no other token
   */
  #turnedAway(change, known, last) {
    const wanted = Boolean(this.#options.whole) || isFocused(this.#frame);
    this.#leave();
    if (!isAtDoor(change)) {
      this.#ask(wanted, whyAgain(this.#t, change));
      return;
    }
    const again = () => this.#begin(true);
    const asGuest = () => (dropToken(this.#url), this.#begin(true));
    showDoor(this.#t, this.#frame, change, known, again, last ? asGuest : undefined, this.#chat?.now() ?? Date.now());
    if (wanted) find(this.#frame, "button").focus();
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

/**
 * A style sheet, made by a script: a page's policy may forbid those of other origins.
 *
 * @param {string} name
 */
function style(name) {
  const text = STYLES[name].replace(/(-?[\d.]+)rem\b/g, `calc($1 * var(${UNIT}))`);
  return (sheets[name] ??= new CSSStyleSheet().replace(text));
}

try {
  CSS.registerProperty({ name: UNIT, syntax: "<length>", inherits: true, initialValue: "16px" });
} catch {
  // It was registered before, by another copy of this.
}
