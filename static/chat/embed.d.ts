// The types of /static/embed.js, which turns elements with `data-livechat` into a chat.

export type { ChatElementEvents } from "./chat.js";
export type { LivechatRoom } from "./chat-element.js";
