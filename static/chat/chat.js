/**
 * The chat as a page's script has it; chat.d.ts says what there is. chat-view.js shows it.
 *
 * @import { Mounted, Options } from "./chat.js"
 */

import { start } from "./chat-view.js";

// A page that has the chat takes the library from here, and does not load it twice.
export { ChatError, connect } from "./livechat.js";

/**
 * Put the chat into an element, which has one at most: a chat that is there already ends.
 *
 * @param {HTMLElement} element
 * @param {Options} [options]
 * @returns {Promise<Mounted>}
 */
export async function mount(element, options = {}) {
  const { ready, ...mounted } = start(element, options);
  await ready;
  return mounted;
}
