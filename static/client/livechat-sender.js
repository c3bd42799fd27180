/**
 * Sends messages, edits and retractions: one at a time, in order, and each under the same nonce until
 * there is an answer.
 *
 *     waiting --sent--> on its way --ack--> done
 *        ^                  |--refused for good--> given up
 *        |                  +--held--> waits for a review --approved--> done
 *        |                  |                             --rejected--> given up
 *        +--refused for a while, connection lost
 *
 * Acts of moderators are sent at once, and once.
 *
 * @import { Ack, Act, Done, Events, Queued, User } from "./livechat.js"
 * @import { End, Link } from "./livechat-links.js"
 * @import { Action, Item, Outbox } from "./livechat-outbox.js"
 */

import { ANSWER, delay } from "./livechat-links.js";
import { random } from "./livechat-outbox.js";

/** Milliseconds for which the server remembers a nonce, less some. */
const NONCE = 9 * 60_000;
/** Messages, edits and retractions that may wait. */
const MOST_WAITING = 100;
/** Times that slow mode may put one of them off: others of the same visitor may always be faster. */
const MOST_SLOWED = 10;
/** Milliseconds, at most, beyond those that slow mode asks for. */
const SLACK = 500;
/** Errors that no waiting cures, though they say when they end. */
const FINAL = ["muted", "banned"];

export class ChatError extends Error {
  /**
   * @param {string} code
   * @param {string} detail
   * @param {{ retry_ms?: number, reason?: string, case?: string }} [more]
   */
  constructor(code, detail, more = {}) {
    super(detail);
    this.name = "ChatError";
    this.code = code;
    this.retryMs = more.retry_ms;
    this.reason = more.reason;
    this.case = more.case;
  }
}

/**
 * The sender's view of its chat.
 *
 * @typedef {object} Host
 * @property {() => boolean} isClosed
 * @property {() => Link | null} link an open one
 * @property {() => string | undefined} epoch
 * @property {() => boolean} isResuming
 * @property {() => User | null} user
 * @property {() => number} now
 * @property {<K extends "outbox" | "refused" | "slow">(type: K, detail: Events[K]) => void} emit
 * @property {(end: End) => void} lost
 */

export class Sender {
  /** Bytes of a message. */
  longest = Infinity;
  #outbox;
  #host;
  /** @type {Item | null} what is on its way, as it was before */
  #sent = null;
  /** @type {Map<string, { resolve: Function, reject: Function }>} by nonce */
  #promised = new Map();
  /** @type {Map<string, { resolve: Function, reject: Function }>} of acts, by nonce */
  #asked = new Map();
  /** The number of times that slow mode has delayed the next act. */
  #slowed = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Outbox} outbox
   * @param {Host} host
   */
  constructor(outbox, host) {
    this.#outbox = outbox;
    this.#host = host;
  }

  /** @returns {readonly Queued[]} */
  get queued() {
    return this.#outbox.items.map(queued);
  }

  /**
   * @param {Action} action
   * @returns {Promise<Ack>}
   */
  act(action) {
    return handled(this.#queue(action));
  }

  /** @param {Action} given */
  async #queue(given) {
    /** @type {Action} as it is kept: `data` may be changed later, and be no JSON */
    const action = JSON.parse(JSON.stringify(given));
    const refused = this.#refusal(action);
    if (refused) throw refused;
    const names = action.type !== "message" || action.replyTo;
    const user = this.#host.user();
    const item = this.#outbox.add(action, names ? this.#host.epoch() : undefined, user?.verified ? user.id : undefined);
    const answer = new Promise((resolve, reject) => {
      this.#promised.set(item.nonce, { resolve, reject });
    });
    this.#host.emit("outbox", this.queued);
    this.next();
    return answer;
  }

  /**
   * Why something cannot be sent.
   *
   * @param {Action} action
   */
  #refusal(action) {
    if (this.#host.isClosed()) return new ChatError("closed", "The chat is closed.");
    if (bytes(action) > this.longest) return this.#tooLong();
    if (this.#outbox.items.length < MOST_WAITING) return undefined;
    return new ChatError("outbox_full", "Too many messages are waiting to be sent.");
  }

  /**
   * Ask for what is not kept: it needs a connection now.
   *
   * @param {Act} action
   * @returns {Promise<Done>}
   */
  ask(action) {
    const asked = new Promise((resolve, reject) => {
      const link = this.#host.link();
      if (!link) throw new ChatError("unavailable", "There is no connection.");
      const nonce = random();
      this.#asked.set(nonce, { resolve, reject });
      link.act({ nonce, action });
      setTimeout(() => this.#unanswered(nonce), ANSWER);
    });
    return handled(asked);
  }

  /** @param {string} nonce */
  #unanswered(nonce) {
    this.#take(nonce)?.reject(new ChatError("unknown", "There was no answer: it may be done, or not."));
  }

  /** @param {string} nonce of an act, which is answered */
  #take(nonce) {
    const asked = this.#asked.get(nonce);
    this.#asked.delete(nonce);
    return asked;
  }

  /** @param {string} nonce */
  discard(nonce) {
    const item = this.#outbox.items.find((each) => each.nonce === nonce);
    if (item) this.#giveUp(item, new ChatError("discarded", "It was given up."));
  }

  /**
   * Give up what another user of the site has written here.
   *
   * @param {User} user
   */
  introduce({ id, verified }) {
    const others = this.#outbox.items.filter(({ by }) => by !== undefined && !(verified && by === id));
    const error = new ChatError("another_user", "Somebody else is signed in now.");
    for (const each of others) this.#giveUp(each, error);
  }

  /** The numbers are others': what has them now is not what was meant. */
  renumber() {
    for (const item of this.#outbox.items) this.#outbox.keep({ ...item, epoch: item.epoch && "" });
  }

  /** Send what is next, if that can be done now. */
  next() {
    for (let link; (link = this.#host.link()) && !this.#sent; ) {
      const item = this.#outbox.items.find((each) => !each.held);
      if (!item) {
        return;
      } else if (item.tried && Math.abs(Date.now() - item.tried) > NONCE) {
        const detail = "It may have been sent, or not: the server cannot be asked any more.";
        this.#giveUp(item, new ChatError("unknown", detail));
      } else if (bytes(item.action) > this.longest) {
        this.#giveUp(item, this.#tooLong());
      } else if (item.epoch !== undefined && this.#host.isResuming()) {
        return;
      } else if (item.epoch !== undefined && item.epoch !== this.#host.epoch()) {
        this.#outdated(item);
      } else {
        this.#sent = item;
        this.#outbox.keep({ ...item, tried: item.tried || Date.now() });
        link.act(item);
        this.#after(ANSWER, () => this.#host.lost({ reason: "A message got no answer." }));
      }
    }
  }

  /**
   * The message that something was about is not there any more.
   *
   * @param {Item} item
   */
  #outdated({ epoch: _, ...item }) {
    if (item.action.type === "message") {
      this.#outbox.keep({ ...item, action: { ...item.action, replyTo: undefined } });
    } else {
      this.#giveUp(item, new ChatError("not_found", "There is no such message any more."));
    }
  }

  /** @param {any} frame */
  acknowledged({ type, nonce, ...ack }) {
    const asked = this.#take(nonce);
    if (asked) {
      asked.resolve(ack);
      return;
    }
    const promised = this.#promised.get(nonce);
    this.#forget(nonce);
    this.#host.emit("outbox", this.queued);
    promised?.resolve(ack);
    this.next();
  }

  /** @param {any} frame */
  refused({ nonce, error }) {
    const { code, detail } = error;
    const reason = new ChatError(code, detail, error);
    this.#take(nonce)?.reject(reason);
    const item = this.#sent;
    if (!item || item.nonce !== nonce) return;
    clearTimeout(this.#timer);
    const wait = delay(error.retry_ms);
    const slow = code === "slow_mode";
    if (code === "held") {
      this.#rest();
      this.#outbox.keep({ ...item, held: error.case });
      this.#host.emit("outbox", this.queued);
      this.next();
    } else if (wait === undefined || FINAL.includes(code) || (slow && ++this.#slowed > MOST_SLOWED)) {
      this.#giveUp(item, reason);
    } else {
      // All but this one say that it was not stored.
      if (code !== "unknown") this.#outbox.keep(item);
      this.#after(slow ? wait + Math.random() * SLACK : wait * (1 + Math.random()), () => this.#again());
      if (slow) this.#host.emit("slow", { nonce, retryMs: wait });
    }
  }

  #again() {
    this.#rest();
    this.next();
  }

  /** The room may be slow no longer. */
  hurry() {
    if (this.#slowed) this.#again();
  }

  /**
   * A message that waited for a review was reviewed.
   *
   * @param {any} frame
   */
  decided({ case: known, state, seq, reason }) {
    const item = this.#outbox.items.find(({ held }) => held === known);
    if (!item) return;
    if (state === "rejected" || state === "closed") {
      const detail = `A moderator has refused it${reason ? `: ${reason}` : "."}`;
      this.#giveUp(item, new ChatError("rejected", detail, { reason, case: known }));
    } else if (seq) {
      this.acknowledged({ nonce: item.nonce, seq, time: this.#host.now(), case: known });
    }
  }

  /** The connection is gone: the next one sends what was on its way again, but for acts. */
  pause() {
    this.#rest();
    for (const nonce of this.#asked.keys()) this.#unanswered(nonce);
  }

  #rest() {
    clearTimeout(this.#timer);
    this.#sent = null;
  }

  /** Leave what waits to the next chat. */
  leave() {
    this.#outbox.leave();
  }

  /**
   * Give up everything.
   *
   * @param {string} reason
   * @returns {() => void} tells it
   */
  end(reason) {
    const given = [...this.#outbox.items];
    const promised = new Map(this.#promised);
    for (const { nonce } of given) this.#forget(nonce);
    return () => {
      if (given.length) this.#host.emit("outbox", []);
      for (const item of given) this.#tellGivenUp(item, new ChatError("closed", reason), promised.get(item.nonce));
    };
  }

  /**
   * @param {Item} item
   * @param {ChatError} error
   */
  #giveUp(item, error) {
    const promised = this.#promised.get(item.nonce);
    this.#forget(item.nonce);
    this.#host.emit("outbox", this.queued);
    this.#tellGivenUp(item, error, promised);
    this.next();
  }

  /**
   * @param {Item} item
   * @param {ChatError} error
   * @param {{ reject: Function } | undefined} promised
   */
  #tellGivenUp(item, error, promised) {
    // An act from before a reload has no promise.
    if (promised) promised.reject(error);
    else this.#host.emit("refused", { ...queued(item), error });
  }

  /** @param {string} nonce */
  #forget(nonce) {
    if (this.#sent?.nonce === nonce) {
      this.#rest();
      this.#slowed = 0;
    }
    this.#promised.delete(nonce);
    this.#outbox.remove(nonce);
  }

  #tooLong() {
    return new ChatError(
      "message_too_long",
      `The message is too long: at most ${this.longest} bytes of UTF-8 are allowed.`,
    );
  }

  /**
   * @param {number} delay
   * @param {() => void} then
   */
  #after(delay, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, delay);
  }
}

/**
 * A caller that does not want to know what becomes of it need not look.
 *
 * @template T
 * @param {Promise<T>} promise
 */
function handled(promise) {
  promise.catch(() => {});
  return promise;
}

/**
 * @param {Item} item
 * @returns {Queued}
 */
function queued({ nonce, action, held }) {
  return { nonce, ...action, ...(held && { case: held }) };
}

/**
 * The length of an action's text.
 *
 * @param {{ type: string, message?: string, text?: string }} action
 */
function bytes({ message, text = message }) {
  return new TextEncoder().encode(text).length;
}
