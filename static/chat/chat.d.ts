// The types of /static/chat.js: the whole chat in an element of a page.

import type { Message, User } from "./livechat.js";

/** The library, whose types are in livechat.d.ts: a page that has the chat loads it once. */
export { ChatError, connect } from "./livechat.js";

export interface Options {
  /** The server; unless said, the one that this came from. */
  url?: string | URL;
  room?: string;
  /** The visitor's; unless said, it is asked for. */
  name?: string;
  /** Gives a token of the visitor's; an empty text for a visitor who is not signed in, and so is a guest. */
  token?: () => string | Promise<string>;
  /** True where a token may come in the page's address. */
  addressed?: boolean;
  /** True where the visitor is known by a cookie of the server's. */
  credentials?: boolean;
  /** A language tag; unless said, the language of the page around, or the browser's. */
  lang?: string;
  /** Texts to say instead of those of the catalogue, by their keys. */
  texts?: { [key: string]: string | { other: string; [form: string]: string } };
  /** True where the page is there for nothing else. */
  whole?: boolean;
  /** The page's words for the room, where it has no title of its own. */
  heading?: string;
  /** The name that the link to the page gives the room; shown as unconfirmed. */
  called?: string;
  /** The text on a button that opens the chat in a panel; unless said, there is none. */
  launcher?: string;
  /** `light` or `dark`; unless said, as the page's `color-scheme` says. */
  theme?: string;
  /** Parts that are left out, with blanks between: `header`, `roster`, `composer`. */
  without?: string;
}

export interface Mounted {
  /** Leave the room, and take the chat out of the element. */
  close(): void;
  /** Change the theme, and what is left out. */
  look(look: Pick<Options, "theme" | "without">): void;
}

/**
 * Put the chat into an element.
 *
 * The promise rejects if the chat cannot start; the element then shows its own contents.
 */
export function mount(element: HTMLElement, options?: Options): Promise<Mounted>;

/** Events of an element that has the chat; they bubble. */
export interface ChatElementEvents {
  /** The visitor is in the room. */
  "livechat:join": CustomEvent<{ room: string; user: User }>;
  /** Each message once. */
  "livechat:message": CustomEvent<Message>;
  /** The number of messages that the visitor has not seen, whenever it changes. */
  "livechat:unread": CustomEvent<{ count: number }>;
  /** The visitor was turned away, by a close code; or something was refused, by its code. */
  "livechat:error": CustomEvent<{ code: number | string; reason: string }>;
}

declare global {
  interface HTMLElementEventMap extends ChatElementEvents {}
  interface DocumentEventMap extends ChatElementEvents {}
  interface WindowEventMap extends ChatElementEvents {}
}
