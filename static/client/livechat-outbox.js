/**
 * The browser's storage: acts that wait to be sent, and the visitor's key.
 */

/**
 * An act that waits for the server: a message, an edit or a retraction.
 *
 * @import { Queued } from "./livechat.js"
 *
 * @typedef {object} Item
 * @property {string} nonce
 * @property {Action} action
 * @property {string} [epoch] in which the numbers are that it names
 * @property {number} order
 * @property {number} tried when it was sent first; 0 if it was not
 * @property {string} [by] the id of the user of the site who wants it
 * @property {string} [held] the case under which it waits for a review
 *
 * @typedef {Without<Queued>} Action
 */
/**
 * @template T
 * @typedef {T extends unknown ? Omit<T, "nonce"> : never} Without
 */

/**
 * An act, with the nonce of its answer.
 *
 * @typedef {{ nonce: string, action: object }} Asked
 */

/**
 * The frame that asks for it.
 *
 * @param {Asked} asked
 */
export function frameOf({ nonce, action }) {
  const { text, replyTo, ...rest } = /** @type {any} */ (action);
  return { message: text, ...rest, reply_to: replyTo, nonce };
}

/** Acts that wait to be sent, each in an entry of the storage. */
export class Outbox {
  static #newest = 0;
  /** The entries of this page, each of one chat. */
  static #claimed = new Set();
  #prefix;
  #storage = new Kept("sessionStorage");
  /** @type {Item[]} */
  items = [];

  /** @param {string} prefix */
  constructor(prefix) {
    this.#prefix = prefix;
    for (const name of this.#storage.names()) {
      if (name.startsWith(this.#prefix)) this.#read(name);
    }
    this.items.sort((one, other) => one.order - other.order);
    Outbox.#newest = Math.max(Outbox.#newest, this.items.at(-1)?.order ?? 0);
  }

  /** Leave what waits to the next one. */
  leave() {
    for (const { nonce } of this.items) Outbox.#claimed.delete(nonce);
    this.items = [];
  }

  /** @param {string} name */
  #read(name) {
    const nonce = name.slice(this.#prefix.length);
    if (Outbox.#claimed.has(nonce)) return;
    try {
      const { epoch, order, tried, by, held, ...action } = JSON.parse(this.#storage.get(name) ?? "");
      // In a duplicated tab the other one may have sent it.  Older versions kept no type.
      const kept = { epoch, order, tried: tried || order, by, held };
      this.items.push({ nonce, action: { type: "message", ...action }, ...kept });
      Outbox.#claimed.add(nonce);
    } catch {
      // The entry is not this library's.
    }
  }

  /**
   * @param {Action} action
   * @param {string | undefined} epoch
   * @param {string | undefined} by
   */
  add(action, epoch, by) {
    Outbox.#newest = Math.max(Date.now(), Outbox.#newest + 1);
    const item = { nonce: random(), action, epoch, order: Outbox.#newest, tried: 0, by };
    this.items.push(item);
    Outbox.#claimed.add(item.nonce);
    this.keep(item);
    return item;
  }

  /** @param {Item} item */
  keep(item) {
    const { nonce, action, ...rest } = item;
    this.items = this.items.map((each) => (each.nonce === nonce ? item : each));
    this.#storage.set(this.#prefix + nonce, JSON.stringify({ ...action, ...rest }));
  }

  /** @param {string} nonce */
  remove(nonce) {
    this.items = this.items.filter((each) => each.nonce !== nonce);
    Outbox.#claimed.delete(nonce);
    this.#storage.remove(this.#prefix + nonce);
  }
}

/** A storage of the browser; where there is none, or it is full or broken, as long as the page is there. */
export class Kept {
  /** @type {Map<string, string>} */
  static #instead = new Map();
  #kind;

  /** @param {"localStorage" | "sessionStorage"} kind */
  constructor(kind) {
    this.#kind = kind;
  }

  /**
   * @template T
   * @param {(storage: Storage) => T} use
   */
  #use(use) {
    try {
      return use(globalThis[this.#kind]);
    } catch {
      return undefined;
    }
  }

  names() {
    const names = this.#use((storage) => Array.from(storage, (_, at) => storage.key(at) ?? "")) ?? [];
    return [...names, ...Kept.#instead.keys()];
  }

  /** @param {string} name */
  get(name) {
    return Kept.#instead.get(name) ?? this.#use((storage) => storage.getItem(name)) ?? undefined;
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  set(name, value) {
    Kept.#instead.delete(name);
    const done = this.#use((storage) => (storage.setItem(name, value), true)) ?? false;
    if (!done) Kept.#instead.set(name, value);
    return done;
  }

  /** @param {string} name */
  remove(name) {
    Kept.#instead.delete(name);
    this.#use((storage) => storage.removeItem(name));
  }
}

/**
 * The browser's key at a server.
 *
 * @param {string} name under which it is kept
 */
export function keptKey(name) {
  const [browser, tab] = [new Kept("localStorage"), new Kept("sessionStorage")];
  const key = browser.get(name) ?? tab.get(name) ?? random();
  if (!browser.set(name, key)) tab.set(name, key);
  return key;
}

/** 24 characters that nobody guesses. */
export function random() {
  const drawn = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...drawn)).replace(/\+/g, "-").replace(/\//g, "_");
}
