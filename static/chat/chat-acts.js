/**
 * Does what one may do about messages and people, and says what became of it.
 *
 * @import { Act, Chat, ChatError, Done } from "./livechat.js"
 * @import { Teller } from "./chat-teller.js"
 * @import { Texts } from "./texts.js"
 */

import { problemOf } from "./chat-problems.js";
import { element } from "./dom.js";

/** Characters of a reason. */
export const LONGEST_REASON = 200;

/**
 * The person whom an act is about.
 *
 * @typedef {{ user: string, guest: boolean, name: string }} Person
 */

export class Acts {
  #t;
  #chat;
  #tell;

  /**
   * @param {Texts} t
   * @param {Chat} chat
   * @param {Teller} tell
   */
  constructor(t, chat, tell) {
    this.#t = t;
    this.#chat = chat;
    this.#tell = tell;
  }

  /**
   * Do something, and say what became of it.
   *
   * @param {Act} action
   * @param {string | ((done: Done) => (string | Node)[])} done
   * @param {[text: string, action: Act]} [undo]
   * @returns {Promise<boolean>} whether it was done
   */
  act(action, done, undo) {
    return this.settle(this.#chat.act(action), done, undo);
  }

  /**
   * Say what became of something.
   *
   * @param {Promise<Done>} acting
   * @param {string | ((done: Done) => (string | Node)[])} done
   * @param {[text: string, action: Act]} [undo]
   */
  async settle(acting, done, undo) {
    try {
      const answer = await acting;
      const button = undo && /** @type {const} */ ([undo[0], () => void this.act(undo[1], this.#t("act.undone"))]);
      this.#tell(typeof done === "string" ? [done] : done(answer), button);
      return true;
    } catch (error) {
      const problem = element("bdi", "", problemOf(this.#t, /** @type {ChatError} */ (error)));
      this.#tell(this.#t.nodes("act.failed", { problem }));
      return false;
    }
  }
}
