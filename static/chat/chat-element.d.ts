// The types of <livechat-room>, an element that is the chat.

export type { ChatElementEvents } from "./chat.js";

export class LivechatRoom extends HTMLElement {
  /** Gives the visitor's token, as the option of `mount` does. */
  token: (() => string | Promise<string>) | undefined;
}

declare global {
  interface HTMLElementTagNameMap {
    "livechat-room": LivechatRoom;
  }
}
