/**
 * Keeps the chat in an element of a page as its attributes say, while they change.
 *
 *     <div data-livechat="lobby" data-name="Ann">        `embed.js`
 *     <livechat-room room="lobby" name="Ann">            `chat-element.js`
 *
 * @import { Options } from "./chat.js"
 */

import { tell } from "./chat-host.js";
import { takeTokens, tokenSource } from "./chat-token.js";
import { start } from "./chat-view.js";
import { textsFor } from "./texts.js";

/** Names of the attributes; an element that is not the chat's own has each behind `data-`. */
export const ATTRIBUTES = [
  "room", "server", "name", "heading", "lang", "theme", "without", "launcher", "token-url", "token-fragment", "credentials", "page",
];
/** Changes of these are shown in the chat that is there; any other takes a new one. */
const LOOK = ["theme", "without"];

/** Servers whose tokens are taken out of the page's address. */
const taking = new Set();

export class Place {
  #element;
  /** @type {ReturnType<typeof start> | undefined} */
  #chat;
  /** The attributes as they were; and those of them with which the chat began. */
  #said = "";
  #as = "";

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /**
   * Be as the attributes say.
   *
   * @param {(name: string) => string | null | undefined} get an attribute's value
   * @param {Options} [more] what no attribute says
   */
  follow(get, more) {
    const values = ATTRIBUTES.map((name) => [name, get(name) ?? null]);
    const said = JSON.stringify(values);
    // A page may change all the time.
    if (this.#chat && said === this.#said) return;
    this.#said = said;
    const options = { ...optionsOf(get), ...more };
    const as = JSON.stringify(values.filter(([name]) => !LOOK.includes(String(name))));
    if (this.#chat && as === this.#as) {
      const { ready, look } = this.#chat;
      ready.then(() => look(options), () => {});
      return;
    }
    this.stop();
    this.#as = as;
    const chat = (this.#chat = start(this.#element, options));
    chat.ready.catch(async (error) => {
      if (this.#chat !== chat) return;
      console.error("livechat:", error);
      tell(this.#element, "error", { code: "not_loaded", reason: String(error) });
      // Without the texts there is no message to show either.
      const t = await textsFor(this.#element, options.lang, options.texts).catch(() => undefined);
      if (t && !this.#element.textContent?.trim()) this.#element.textContent = t("failed");
    });
  }

  stop() {
    this.#chat?.close();
    this.#chat = undefined;
  }
}

/**
 * @param {(name: string) => string | null | undefined} get
 * @returns {Options}
 */
function optionsOf(get) {
  const has = (/** @type {string} */ name) => (get(name) ?? undefined) !== undefined;
  const server = new URL(get("server") || new URL("../", import.meta.url), document.baseURI);
  const addressed = has("page") || has("token-fragment");
  // At once: it is to be in the page's address no longer than it must.
  if (addressed && !taking.has(server.href)) takeTokens(server);
  if (addressed) taking.add(server.href);
  const address = get("token-url");
  return {
    url: server,
    room: get("room") || undefined,
    name: get("name") ?? undefined,
    heading: get("heading") ?? undefined,
    lang: get("lang") ?? undefined,
    whole: has("page"),
    called: (has("page") && get("called")) || undefined,
    addressed,
    theme: get("theme") ?? undefined,
    without: get("without") ?? undefined,
    launcher: get("launcher") ?? undefined,
    ...(address && { token: tokenSource(address) }),
    ...(has("credentials") && { credentials: true }),
  };
}
