/**
 * A client of livechat: it joins a room, and stays in it.
 *
 *     import { connect } from "https://chat.example.org:10443/static/livechat.js";
 *
 *     const chat = connect("https://chat.example.org:10443", { room: "lobby", name: "Ann" });
 *     chat.addEventListener("message", ({ detail }) => console.log(detail.message));
 *     await chat.send("hi");
 *
 * livechat.d.ts says what there is.  The protocol is docs/protocol.md.
 *
 *     connecting --hello--> open --lost--> waiting --time--> connecting ...
 *          |                  |               |
 *          +------------------+---------------+--> closed: the page's wish, or the server's
 *
 * Each attempt tries a WebSocket, and where none can be had server-sent events.  Who comes back
 * says what it has seen last, so nothing is missed without a word.
 *
 * What is to be stored (messages, edits, retractions) waits in an outbox until it is acknowledged.  One
 * is on its way at a time, so they stay in order; it is sent again under the same nonce, so it is done
 * once.
 *
 * @import { Chat, Data, Events, Gap, Message, Options, Place, Presence, Queued, State } from "./livechat.js"
 * @import { Transport, User } from "./livechat.js"
 * @import { End, Link } from "./livechat-links.js"
 * @import { Action, Item } from "./livechat-outbox.js"
 */

import { ANSWER, Address, LATEST, Socket, Stream, ask, delay, refusal } from "./livechat-links.js";
import { Outbox } from "./livechat-outbox.js";

// Milliseconds.

/** For a connection to say hello. */
const CONNECT = 10_000;
/** For an answer to a ping; and the same where there is reason to doubt that one will come. */
const PONG = 10_000;
const DOUBTED_PONG = 4_000;
/** Bounds of the random time before the first attempt and before later ones. */
const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 30_000;
/** After which a connection was a good one, and attempts are counted from the first again. */
const GOOD = 10_000;
/** For which a way that failed without a word, and never worked, is the last to be tried. */
const AVOIDED = 300_000;
/** For which the server remembers a nonce, less some. */
const NONCE = 9 * 60_000;
/** Between two signs of life of the server, unless it says. */
const HEARTBEAT = 25_000;
/** Before one comes back to a server that refuses the page's origin. */
const REFUSED = 60_000;
/** Between two times at which the others are told that one is writing. */
const TYPING = 3_000;

/** Messages, edits and retractions that may wait. */
const MOST_WAITING = 100;
/** Users of a room beyond which the server tells only how many there are. */
const MANY = 100;
/** Messages that are read anew where a room's numbering began anew. */
const NEWEST = 100;

/** What the console has been told. */
const told = new Set();

export class ChatError extends Error {
  /**
   * @param {string} code
   * @param {string} detail
   */
  constructor(code, detail) {
    super(detail);
    this.name = "ChatError";
    this.code = code;
  }
}

/** @template T */
export class ChatEvent extends Event {
  /**
   * @param {string} type
   * @param {T} detail
   */
  constructor(type, detail) {
    super(type);
    this.detail = detail;
  }
}

/** @type {typeof import("./livechat.d.ts").connect} */
export function connect(url, options = {}) {
  // Its listeners are typed by the declarations, not by the code that inherits them.
  return /** @type {any} */ (new Room(new URL(url, import.meta.url), options));
}

/** @implements {Omit<Chat, keyof EventTarget>} */
class Room extends EventTarget {
  /** @type {State} */
  state = "connecting";
  /** @type {User | null} */
  user = null;
  /** @type {Place | null} */
  place = null;
  /** @type {Presence} */
  presence = { users: 0, members: [] };

  #address;
  #outbox;
  /** @type {Transport[]} */
  #transports;
  /** @type {Transport[]} those that this attempt has yet to try, this one first */
  #ways;
  /** Those that have worked. */
  #good = new Set();
  /** @type {Map<Transport, number>} when others have failed without a word */
  #failed = new Map();
  /** @type {Link | null} */
  #link = null;
  /** When the server said hello; 0 if it has not. */
  #greeted = 0;
  /** When it gave the last sign of life, and whether that was after it was asked. */
  #heard = 0;
  #answered = false;
  #heartbeat = HEARTBEAT;
  #longest = Infinity;
  /** Milliseconds in which a message may be edited; and by which the server's clock is ahead. */
  #editable = 0;
  #ahead = 0;
  /** @type {number | undefined} milliseconds for which the server, which goes, wants one away */
  #goaway;
  #attempts = 0;
  /** Before which the server does not want one back; and when it is tried. */
  #notBefore = 0;
  #retryAt = 0;
  /** The next entry may have any number. */
  #anew = false;
  /** The server has yet to say whether it has what one has seen. */
  #resuming = false;
  /** @type {Item | null} what is on its way, as it was before */
  #sent = null;
  #typed = -TYPING;
  /** @type {Map<string, { resolve: Function, reject: Function }>} by nonce */
  #promised = new Map();
  /** @type {Record<string, ReturnType<typeof setTimeout>>} the timers that run, by what for */
  #timers = {};
  #over = new AbortController();

  /**
   * @param {URL} url
   * @param {Options} options
   */
  constructor(url, { room = "lobby", name, key, transports = [] }) {
    super();
    this.room = room;
    this.#transports = transports.length ? [...transports] : ["websocket", "events"];
    this.#ways = this.#transports;
    this.#address = new Address(url, room, name, key);
    this.#outbox = new Outbox(this.#address.outbox);
    this.#listen(globalThis, "online", () => this.#doubt(true));
    this.#listen(globalThis, "offline", () => this.#doubt());
    this.#listen(globalThis.document, "visibilitychange", () => {
      if (!document.hidden) this.#doubt();
    });
    this.#attempt();
  }

  get transport() {
    return this.#ways[0];
  }

  /** @returns {readonly Queued[]} */
  get outbox() {
    return this.#outbox.items.map(queued);
  }

  /**
   * @param {string} message
   * @param {{ replyTo?: number, data?: Data }} [more]
   */
  send(message, { replyTo, data } = {}) {
    return this.#act({ type: "message", message: whole(message), replyTo, data });
  }

  /**
   * @param {number} ref
   * @param {string} text
   * @param {{ data?: Data }} [more]
   */
  edit(ref, text, { data } = {}) {
    return this.#act({ type: "edit", ref, text: whole(text), data });
  }

  /** @param {number | number[]} refs */
  retract(refs) {
    return this.#act({ type: "retract", refs: [refs].flat() });
  }

  /** @param {{ user?: User, time: number }} message */
  editable({ user, time }) {
    return user !== undefined && user.id === this.user?.id && Date.now() + this.#ahead - time < this.#editable;
  }

  /** @param {Action} action */
  #act(action) {
    return handled(this.#queue(action));
  }

  /** @param {Action} given */
  async #queue(given) {
    /** @type {Action} as it is kept: `data` may be changed later, and be no JSON */
    const action = JSON.parse(JSON.stringify(given));
    const refused = this.#refusal(action);
    if (refused) throw refused;
    const names = action.type !== "message" || action.replyTo;
    const item = this.#outbox.add(action, names ? this.place?.epoch : undefined);
    const answer = new Promise((resolve, reject) => {
      this.#promised.set(item.nonce, { resolve, reject });
    });
    this.#emit("outbox", this.outbox);
    this.#sendNext();
    return answer;
  }

  /**
   * Why something cannot be sent.
   *
   * @param {Action} action
   */
  #refusal(action) {
    if (this.state === "closed") return new ChatError("closed", "The chat is closed.");
    if (bytes(action) > this.#longest) return this.#tooLong();
    if (this.#outbox.items.length < MOST_WAITING) return undefined;
    return new ChatError("outbox_full", "Too many messages are waiting to be sent.");
  }

  /** @param {string} nonce */
  discard(nonce) {
    const item = this.#outbox.items.find((each) => each.nonce === nonce);
    if (item) this.#giveUp(item, new ChatError("discarded", "It was given up."));
  }

  typing() {
    const now = performance.now();
    if (this.state !== "open" || now - this.#typed < TYPING) return;
    this.#typed = now;
    this.#link?.ask?.({ type: "typing" });
  }

  /** @param {{ before?: number, after?: number, limit?: number }} [part] */
  async history(part = {}) {
    const asked = Object.entries(part).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    );
    const [rel, name] = part.after === undefined ? ["prev", "before"] : ["next", "after"];
    const { answer, problem } = await ask(this.#address.http("chat/history/", asked), {}, async (answer) => {
      const onward = new RegExp(`\\b${name}=(\\d+)[^>]*>; rel="${rel}"`);
      const [, number] = onward.exec(answer.headers.get("Link") ?? "") ?? [];
      return {
        messages: /** @type {Message[]} */ ((await answer.json()).chat_history.map(said)),
        epoch: answer.headers.get("Livechat-Epoch") ?? "",
        more: number !== undefined,
        ...(number && { next: { [name]: Number(number) } }),
      };
    });
    if (!answer) throw new ChatError(problem.told ? problem.code : "unavailable", problem.detail);
    return answer;
  }

  reconnect() {
    if (this.state === "waiting") this.#attempt();
  }

  /** @param {{ keep?: boolean }} [options] */
  close({ keep = false } = {}) {
    if (this.state === "closed") return;
    if (keep) this.#outbox.leave();
    this.#end({ code: 1000, reason: "The chat was left." });
  }

  /**
   * @template {keyof Events} K
   * @param {K} type
   * @param {Events[K]} detail
   */
  #emit(type, detail) {
    this.dispatchEvent(new ChatEvent(type, detail));
  }

  /**
   * @param {State} state
   * @param {object} [more]
   */
  #enter(state, more = {}) {
    this.state = state;
    this.#emit("state", { state, ...more });
  }

  /**
   * @param {EventTarget | undefined} target what there is of it in a browser
   * @param {string} type
   * @param {() => void} listener
   */
  #listen(target, type, listener) {
    target?.addEventListener?.(type, listener, { signal: this.#over.signal });
  }

  /**
   * @param {number} delay
   * @param {string} name what for, of which there is one timer
   * @param {() => void} then
   */
  #after(delay, name, then) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(then, delay);
  }

  // Connecting.  What is told comes last: who listens may leave, or send, or try again.

  #attempt() {
    const now = performance.now();
    const avoided = (/** @type {Transport} */ way) =>
      !this.#good.has(way) && now - (this.#failed.get(way) ?? -AVOIDED) < AVOIDED;
    this.#ways = [...this.#transports].sort((one, other) => Number(avoided(one)) - Number(avoided(other)));
    this.#drop();
    if (this.state !== "connecting") this.#enter("connecting");
    if (this.state === "connecting" && !this.#link) this.#open();
  }

  #open() {
    const made = this.transport === "websocket" ? Socket : Stream;
    this.#resuming = this.place !== null;
    /** @type {Link} */
    const link = new made(this.#address, this.place, (more) => {
      // One that is no longer ours is not heard.
      if (this.#link !== link) return;
      if (!more) {
        this.#heard = performance.now();
        this.#answered = true;
      }
      if (more?.data !== undefined) this.#read(more.data);
      if (more?.end) this.#lost(more.end);
    });
    this.#link = link;
    this.#after(CONNECT, "silence", () => this.#lost({ reason: "No answer came.", mute: true }));
  }

  #drop() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    const link = this.#link;
    this.#link = this.#sent = null;
    this.#greeted = 0;
    this.#goaway = undefined;
    link?.close();
  }

  /** @param {End} end */
  #lost(end) {
    const greeted = this.#greeted;
    if (this.#goaway !== undefined) end = { ...end, wait: this.#goaway, exact: true };
    this.#drop();
    if (end.final) {
      this.#end(end);
      return;
    }
    if (!greeted && end.mute) {
      this.#failed.set(this.transport, performance.now());
      if (this.#ways.length > 1) {
        this.#ways = this.#ways.slice(1);
        this.#open();
        return;
      }
      this.#explain();
    }
    if (greeted && performance.now() - greeted > GOOD) this.#attempts = 0;
    this.#wait(end);
  }

  /** @param {End} end */
  #wait({ code, reason, wait = 0, exact }) {
    // All who were thrown off together must not come back together.
    const spread = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** this.#attempts);
    const retryMs = wait + (exact && !this.#attempts ? 0 : Math.random() * spread);
    this.#attempts++;
    this.#notBefore = performance.now() + wait;
    this.#retryIn(retryMs);
    this.#enter("waiting", { code, reason, retryMs: Math.round(retryMs) });
  }

  /** Say so, if the server cannot be reached only because it refuses the page's origin. */
  async #explain() {
    const refused = await refusal(this.#address);
    if (!refused || this.state !== "waiting") return;
    if (!told.has(refused)) console.error("livechat:", refused);
    told.add(refused);
    this.#wait({ code: 4403, reason: "The server does not allow pages of this site.", wait: REFUSED });
  }

  /** @param {number} delay */
  #retryIn(delay) {
    this.#retryAt = performance.now() + delay;
    this.#after(delay, "retry", () => this.#attempt());
  }

  /** @param {End} end */
  #end({ code, reason = "" }) {
    this.#drop();
    this.#over.abort();
    const given = [...this.#outbox.items];
    const promised = new Map(this.#promised);
    for (const { nonce } of given) this.#forget(nonce);
    this.#enter("closed", { code, reason });
    if (given.length) this.#emit("outbox", []);
    for (const item of given) this.#tellGivenUp(item, new ChatError("closed", reason), promised.get(item.nonce));
  }

  // Is it still there?

  /** After so much silence, ask. */
  #watch() {
    const quiet = performance.now() - this.#heard;
    this.#after(this.#heartbeat - quiet, "silence", () => {
      if (performance.now() - this.#heard < this.#heartbeat) this.#watch();
      else this.#ping(PONG);
    });
  }

  /** @param {number} patience */
  #ping(patience) {
    this.#answered = false;
    this.#link?.ask?.({ type: "ping" });
    this.#after(patience, "silence", () => {
      if (this.#answered) this.#watch();
      else this.#lost({ reason: "Nothing was heard for too long." });
    });
  }

  /**
   * What one believed of the connection may no longer hold: the page was asleep, or the network
   * has changed.
   *
   * @param {boolean} [elsewhere] there is a network again, and it may be another one
   */
  #doubt(elsewhere = false) {
    const now = performance.now();
    if (this.state === "waiting") {
      // At random, because others here are told so at the same time.
      const soon = Math.max(this.#notBefore - now, 0) + Math.random() * FIRST_RETRY;
      if (now + soon < this.#retryAt) this.#retryIn(soon);
    } else if (this.state === "open" && this.#link?.ask) {
      this.#ping(DOUBTED_PONG);
    } else if (this.state === "open" && elsewhere) {
      // It cannot be asked; to go on with another loses nothing.
      this.#lost({ reason: "The network has changed." });
    }
  }

  // What the server says.

  /** @param {string} data */
  #read(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      this.#lost({ reason: "What came is not the protocol." });
      return;
    }
    this.#hear(frame);
  }

  /** @param {any} frame */
  #hear(frame) {
    switch (frame.type) {
      case "hello":
        return this.#hello(frame);
      case "message":
      case "event":
        return this.#entry(frame);
      case "resumed":
        return this.#resumed(frame);
      case "presence":
        return this.#present(frame);
      case "joined":
      case "left":
        return this.#comeOrGone(frame);
      case "typing":
        return this.#emit("typing", { user: frame.user, ttl: frame.ttl });
      case "ack":
        return this.#acknowledged(frame);
      case "error":
        return frame.nonce ? this.#refused(frame) : this.#emit("error", frame.error);
      case "goaway":
        this.#goaway = delay(frame.retry_ms);
    }
  }

  /** @param {any} frame */
  #hello({ user, epoch, seq, limits, heartbeat, time }) {
    this.#greeted = performance.now();
    this.#heartbeat = Math.min(delay(1_000 * heartbeat) || HEARTBEAT, LATEST);
    this.#longest = limits.message_bytes;
    this.#editable = 1_000 * limits.edit;
    this.#ahead = time - Date.now();
    this.#good.add(this.transport);
    this.user = user;
    this.place ??= { epoch, seq };
    this.#watch();
    this.#link?.ask?.({ type: "presence" });
    this.#enter("open");
    this.#sendNext();
  }

  /** @param {any} frame with a number, of whatever kind */
  #entry(frame) {
    const { seq } = frame;
    const place = this.place;
    if (!place || (seq <= place.seq && !this.#anew)) return;
    if (seq > place.seq + 1 && !this.#anew) {
      // It never is; if it were, to ask for what is missing would bring it.
      this.#lost({ reason: "An entry is missing." });
      return;
    }
    this.#anew = false;
    this.place = { epoch: place.epoch, seq };
    const { type, event, ...detail } = frame;
    if (type === "message") this.#emit("message", said(frame));
    else if (event === "edited" || event === "retracted") this.#emit(event, detail);
  }

  /** @param {any} frame */
  #resumed(frame) {
    this.#resuming = false;
    if (!frame.complete) this.#gap(frame);
    this.#sendNext();
  }

  /** @param {any} frame */
  #gap({ reason, oldest, epoch, to }) {
    const place = /** @type {Place} */ (this.place);
    /** @type {Gap} */
    const gap = { reason };
    if (reason === "trimmed") {
      gap.missed = oldest - place.seq - 1;
      this.place = { epoch: place.epoch, seq: oldest - 1 };
    } else if (reason === "epoch") {
      this.place = { epoch, seq: Math.max(0, to - NEWEST) };
      // What has these numbers now is not what was meant.
      for (const item of this.#outbox.items) this.#outbox.keep({ ...item, epoch: item.epoch && "" });
    }
    this.#anew = reason !== "trimmed";
    this.#emit("gap", gap);
  }

  /** @param {any} frame */
  #present({ users, members }) {
    const shrunk = this.presence.users > MANY && users <= MANY;
    this.presence = { users, members: members ?? [] };
    if (shrunk && !members) this.#link?.ask?.({ type: "presence" });
    this.#emit("presence", this.presence);
  }

  /** @param {any} frame */
  #comeOrGone({ type, user }) {
    const { users, members } = this.presence;
    const others = members.filter(({ id }) => id !== user.id);
    // Where not all are listed, one who is not may be counted.
    const known = others.length < members.length || (type === "left" && members.length < users);
    const change = type === "joined" ? Number(!known) : -Number(known);
    this.presence = { users: users + change, members: type === "joined" ? [...others, user] : others };
    this.#emit("presence", this.presence);
  }

  // Sending.

  #sendNext() {
    while (this.state === "open" && !this.#sent && this.#outbox.items.length) {
      const item = this.#outbox.items[0];
      if (item.tried && Math.abs(Date.now() - item.tried) > NONCE) {
        const detail = "It may have been sent, or not: the server cannot be asked any more.";
        this.#giveUp(item, new ChatError("unknown", detail));
      } else if (bytes(item.action) > this.#longest) {
        this.#giveUp(item, this.#tooLong());
      } else if (item.epoch !== undefined && this.#resuming) {
        return;
      } else if (item.epoch !== undefined && item.epoch !== this.place?.epoch) {
        this.#outdated(item);
      } else {
        this.#sent = item;
        this.#outbox.keep({ ...item, tried: item.tried || Date.now() });
        this.#link?.act(item);
        this.#after(ANSWER, "answer", () => this.#lost({ reason: "A message got no answer." }));
      }
    }
  }

  /**
   * What something was about is not there any more.
   *
   * @param {Item} item
   */
  #outdated(item) {
    const { nonce, action, order, tried } = item;
    if (action.type === "message") {
      this.#outbox.keep({ nonce, action: { ...action, replyTo: undefined }, order, tried });
    } else {
      this.#giveUp(item, new ChatError("not_found", "There is no such message any more."));
    }
  }

  /** @param {any} frame */
  #acknowledged({ type, nonce, ...ack }) {
    const promised = this.#promised.get(nonce);
    this.#forget(nonce);
    this.#emit("outbox", this.outbox);
    promised?.resolve(ack);
    this.#sendNext();
  }

  /** @param {any} frame */
  #refused({ nonce, error: { code, detail, retry_ms } }) {
    const item = this.#sent;
    if (!item || item.nonce !== nonce) return;
    clearTimeout(this.#timers.answer);
    const wait = delay(retry_ms);
    if (wait === undefined) {
      this.#giveUp(item, new ChatError(code, detail));
    } else {
      // All but this one say that it was not stored.
      if (code !== "unknown") this.#outbox.keep(item);
      this.#after(wait * (1 + Math.random()), "answer", () => {
        this.#sent = null;
        this.#sendNext();
      });
    }
  }

  /**
   * @param {Item} item
   * @param {ChatError} error
   */
  #giveUp(item, error) {
    const promised = this.#promised.get(item.nonce);
    this.#forget(item.nonce);
    this.#emit("outbox", this.outbox);
    this.#tellGivenUp(item, error, promised);
    this.#sendNext();
  }

  /**
   * @param {Item} item
   * @param {ChatError} error
   * @param {{ reject: Function } | undefined} promised
   */
  #tellGivenUp(item, error, promised) {
    // Of one from before a reload nobody was promised anything.
    if (promised) promised.reject(error);
    else this.#emit("refused", { ...queued(item), error });
  }

  /** @param {string} nonce */
  #forget(nonce) {
    if (this.#sent?.nonce === nonce) {
      clearTimeout(this.#timers.answer);
      this.#sent = null;
    }
    this.#promised.delete(nonce);
    this.#outbox.remove(nonce);
  }

  #tooLong() {
    return new ChatError(
      "message_too_long",
      `The message is too long: at most ${this.#longest} bytes of UTF-8 are allowed.`,
    );
  }
}

/**
 * Who does not want to know what becomes of it need not look.
 *
 * @template T
 * @param {Promise<T>} promise
 */
function handled(promise) {
  promise.catch(() => {});
  return promise;
}

/**
 * A message as it is called here.
 *
 * @param {any} frame
 * @returns {Message}
 */
function said({ type, reply_to: replyTo, ...rest }) {
  return { ...rest, ...(replyTo && { replyTo }) };
}

/**
 * @param {Item} item
 * @returns {Queued}
 */
function queued({ nonce, action }) {
  return { nonce, ...action };
}

/**
 * A text that can be sent: half a surrogate pair could not be, and is none.
 *
 * @param {unknown} text
 */
function whole(text) {
  return String(text).replace(/\p{Surrogate}/gu, "\ufffd");
}

/**
 * How long an action's text is.
 *
 * @param {{ type: string, message?: string, text?: string }} action
 */
function bytes({ message, text = message }) {
  return new TextEncoder().encode(text).length;
}
