/**
 * Parts of the chat that come after what is needed first: they are loaded as often as it takes, and whatever is
 * asked of them meanwhile waits.
 *
 * @import { Chat, Events } from "./livechat.js"
 */

/** Milliseconds before something is loaded again, at first and at most. */
const FIRST = 1_000;
const LONGEST = 30_000;
/** Events that are kept, and things that are asked, the newest of each. */
const MOST = 2_000;
const TYPES = /** @type {(keyof Events)[]} */ ([
  "state", "settings", "rights", "presence", "message", "edited", "retracted", "gap", "typing", "renamed", "outbox",
  "slow", "case", "moderated", "refused",
]);

/**
 * Load something, again and again while the server is away.
 *
 * @template T
 * @param {() => Promise<T>} load
 * @param {AbortSignal} over
 * @returns {Promise<T | undefined>} nothing, once it is over
 */
export async function persist(load, over) {
  for (let wait = FIRST; !over.aborted; wait = Math.min(2 * wait, LONGEST)) {
    const found = await load().catch((error) => console.warn("livechat: it is loaded again.", error));
    if (over.aborted) break;
    if (found) return found;
    await new Promise((go) => {
      const timer = setTimeout(go, wait);
      over.addEventListener("abort", () => go(clearTimeout(timer)));
    });
  }
  return undefined;
}

/**
 * A part that is loaded when something is asked of it first. What is asked before it is there is done then, in order.
 *
 * @template T
 * @param {() => Promise<T | undefined>} load comes to nothing where nobody waits any more
 * @returns {(ask: (part: T) => void) => void}
 */
export function later(load) {
  /** @type {T | undefined} */
  let part;
  /** @type {((part: T) => void)[] | undefined} */
  let waiting;
  return (ask) => {
    if (part) ask(part);
    else if (waiting) keep(waiting, ask);
    else {
      waiting = [ask];
      void load().then((found) => {
        part = found;
        if (found) for (const each of waiting ?? []) each(found);
      });
    }
  };
}

/**
 * @template T
 * @param {T[]} kept
 * @param {T} one
 */
function keep(kept, one) {
  if (kept.push(one) > MOST) kept.shift();
}

/** The events of a chat, for parts that come later: when they are there, they hear what was before. */
export class Tape {
  #heard = new EventTarget();
  /** @type {CustomEvent[] | undefined} */
  #kept = [];

  /** @param {Pick<Chat, "addEventListener"> | Tape} chat */
  constructor(chat) {
    for (const type of TYPES) {
      chat.addEventListener(type, ({ detail }) => {
        const event = new CustomEvent(type, { detail });
        if (!this.#kept) this.#heard.dispatchEvent(event);
        else keep(this.#kept, event);
      });
    }
  }

  /**
   * @template {keyof Events} K
   * @param {K} type
   * @param {(event: CustomEvent<Events[K]>) => void} listener
   */
  addEventListener(type, listener) {
    this.#heard.addEventListener(type, /** @type {EventListener} */ (listener));
  }

  /** All listeners are there. */
  play() {
    const kept = this.#kept ?? [];
    this.#kept = undefined;
    for (const event of kept) this.#heard.dispatchEvent(event);
  }
}
