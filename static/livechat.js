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
 * What is to be sent waits in an outbox until it is acknowledged.  One message is on its way
 * at a time, so they stay in order; it is sent again under the same nonce, so it is said once.
 *
 * @import { Chat, Events, Gap, Message, Options, Place, Presence, Problem, Queued, State } from "./livechat.d.ts"
 * @import { Transport, User } from "./livechat.d.ts"
 */

// Milliseconds.

/** For a connection to say hello. */
const CONNECT = 10_000;
/** For an answer to a ping; and the same where there is reason to doubt that one will come. */
const PONG = 10_000;
const DOUBTED_PONG = 4_000;
/** For a message to be answered. */
const ANSWER = 15_000;
/** Bounds of the random time before the first attempt and before later ones. */
const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 30_000;
/** After which one comes back whom the server wants later, if it does not say when. */
const LATER = 10_000;
const LATEST = 3_600_000;
/** After which a connection was a good one, and attempts are counted from the first again. */
const GOOD = 10_000;
/** For which the server remembers a nonce, less some. */
const NONCE = 9 * 60_000;
/** Between two times at which the others are told that one is writing. */
const TYPING = 3_000;

/** Messages that may wait. */
const MOST_WAITING = 100;
/** Users of a room beyond which the server tells only how many there are. */
const MANY = 100;

/** @typedef {{ nonce: string, message: string, order: number, tried: number }} Item */

/**
 * How a connection ended.
 *
 * @typedef {object} End
 * @property {number | string} [code]
 * @property {string} [reason]
 * @property {number} [wait] milliseconds that the server wants one to stay away
 * @property {boolean} [exact] that was chosen at random already
 * @property {boolean} [final] not to come back
 * @property {boolean} [mute] the server has not said anything: there may be another way
 */

/**
 * Is told that the server gave a sign of life, what it says, and at last of the end.
 *
 * @typedef {(more?: { frame?: any, end?: End }) => void} Listener
 */

/**
 * A way to the server.
 *
 * @typedef {object} Link
 * @property {(item: Item) => void} say
 * @property {(frame: object) => void} [ask] where more can be sent than messages
 * @property {() => void} close
 */

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
  /** @type {Transport[]} in the order in which an attempt tries them */
  #transports;
  /** Which of them it tries now. */
  #trying = 0;
  /** Whether a WebSocket has worked. */
  #settled = false;
  /** @type {Link | null} */
  #link = null;
  /** When the server said hello; 0 if it has not. */
  #greeted = 0;
  #heard = 0;
  #heartbeat = 0;
  #longest = Infinity;
  /** @type {number | undefined} milliseconds for which the server, which goes, wants one away */
  #goaway;
  #attempts = 0;
  /** Before which the server does not want one back. */
  #notBefore = 0;
  /** @type {Item | null} the message that is on its way, as it was before */
  #sent = null;
  #typed = 0;
  /** @type {Map<string, { resolve: Function, reject: Function }>} by nonce */
  #promised = new Map();
  /** @type {Record<string, ReturnType<typeof setTimeout>>} the timers that run, by what for */
  #timers = {};
  #over = new AbortController();

  /**
   * @param {URL} url
   * @param {Options} options
   */
  constructor(url, { room = "lobby", name, key, transports = ["websocket", "events"] }) {
    super();
    this.room = room;
    this.#transports = [...transports];
    this.#address = new Address(url, room, name, key ?? keptKey(url.host));
    this.#outbox = new Outbox(`livechat:outbox:${url.host}:${room}:`);
    this.#listen(globalThis, "online", () => this.#doubt());
    this.#listen(globalThis, "offline", () => this.#doubt());
    this.#listen(globalThis.document, "visibilitychange", () => {
      if (!document.hidden) this.#doubt();
    });
    this.#attempt();
  }

  get transport() {
    return this.#transports[this.#trying];
  }

  /** @returns {readonly Queued[]} */
  get outbox() {
    return this.#outbox.items.map(({ nonce, message }) => ({ nonce, message }));
  }

  /** @param {string} message */
  async send(message) {
    // Half a surrogate pair is no text, and could not be sent as such.
    const text = String(message).replace(/\p{Surrogate}/gu, "\ufffd");
    if (this.state === "closed") throw new ChatError("closed", "The chat is closed.");
    if (bytes(text) > this.#longest) throw this.#tooLong();
    if (this.#outbox.items.length >= MOST_WAITING) {
      throw new ChatError("outbox_full", "Too many messages are waiting to be sent.");
    }
    const item = this.#outbox.add(text);
    const answer = new Promise((resolve, reject) => {
      this.#promised.set(item.nonce, { resolve, reject });
    });
    this.#emit("outbox", this.outbox);
    this.#sendNext();
    return answer;
  }

  /** @param {string} nonce */
  discard(nonce) {
    const item = this.#outbox.items.find((each) => each.nonce === nonce);
    if (item) this.#giveUp(item, new ChatError("discarded", "It was given up."));
  }

  typing() {
    const now = Date.now();
    if (this.state !== "open" || Math.abs(now - this.#typed) < TYPING) return;
    this.#typed = now;
    this.#link?.ask?.({ type: "typing" });
  }

  /** @param {{ before?: number, after?: number, limit?: number }} [part] */
  async history(part = {}) {
    const asked = Object.entries(part).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    );
    const url = this.#address.http("chat/history/", asked);
    let answer;
    try {
      answer = await fetch(url, { credentials: "omit", signal: AbortSignal.timeout(ANSWER) });
      if (answer.ok) {
        const rel = part.after === undefined ? "prev" : "next";
        return {
          messages: /** @type {Message[]} */ ((await answer.json()).chat_history),
          epoch: answer.headers.get("Livechat-Epoch") ?? "",
          more: (answer.headers.get("Link") ?? "").includes(`rel="${rel}"`),
        };
      }
    } catch {
      throw new ChatError("unavailable", "The server cannot be reached.");
    }
    const { code, detail } = await refusal(answer);
    throw new ChatError(code, detail);
  }

  reconnect() {
    if (this.state === "waiting") this.#attempt();
  }

  close() {
    if (this.state !== "closed") this.#end({ code: 1000, reason: "The chat was left." });
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
   * @param {string} name
   * @param {number} delay
   * @param {() => void} then
   */
  #after(delay, name, then) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(then, delay);
  }

  // Connecting.

  #attempt() {
    this.#trying = 0;
    if (this.state !== "connecting") this.#enter("connecting");
    this.#open();
  }

  #open() {
    this.#drop();
    const made = this.transport === "websocket" ? Socket : Stream;
    /** @type {Link} */
    const link = new made(this.#address, this.place, (more) => {
      // One that is no longer ours is not heard.
      if (this.#link !== link) return;
      if (!more) this.#heard = Date.now();
      if (more?.frame) this.#hear(more.frame);
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
    } else if (!greeted && end.mute && this.#trying + 1 < this.#transports.length) {
      this.#trying++;
      this.#open();
    } else {
      if (greeted && Date.now() - greeted > GOOD) this.#attempts = 0;
      this.#wait(end);
    }
  }

  /** @param {End} end */
  #wait({ code, reason, wait = 0, exact }) {
    // All who were thrown off together must not come back together.
    const spread = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** this.#attempts);
    const retryMs = Math.min(wait, LATEST) + (exact && !this.#attempts ? 0 : Math.random() * spread);
    this.#attempts++;
    this.#notBefore = Date.now() + Math.min(wait, LATEST);
    this.#after(retryMs, "retry", () => this.#attempt());
    this.#enter("waiting", { code, reason, retryMs: Math.round(retryMs) });
  }

  /** @param {End} end */
  #end({ code, reason = "" }) {
    this.#drop();
    this.#over.abort();
    this.#enter("closed", { code, reason });
    const error = new ChatError(typeof code === "string" ? code : "closed", reason);
    for (const item of [...this.#outbox.items]) this.#giveUp(item, error);
  }

  // Is it still there?

  /** After so much silence, ask. */
  #watch() {
    const quiet = Math.max(0, Date.now() - this.#heard);
    this.#after(this.#heartbeat - quiet, "silence", () => {
      if (Date.now() - this.#heard < this.#heartbeat) this.#watch();
      else this.#ping(PONG);
    });
  }

  /** @param {number} patience */
  #ping(patience) {
    const asked = Date.now();
    this.#link?.ask?.({ type: "ping" });
    this.#after(patience, "silence", () => {
      if (this.#heard >= asked) this.#watch();
      else this.#lost({ reason: "Nothing was heard for too long." });
    });
  }

  /** The network has changed, or the page was asleep: what one believed may no longer hold. */
  #doubt() {
    const now = Date.now();
    if (this.state === "waiting") {
      // At random, because others here are told so at the same time.
      const soon = Math.max(this.#notBefore - now, 0) + Math.random() * FIRST_RETRY;
      this.#after(soon, "retry", () => this.#attempt());
    } else if (this.state === "open" && now - this.#heard > this.#heartbeat + PONG) {
      this.#lost({ reason: "Nothing was heard for too long." });
    } else if (this.state === "open" && this.#link?.ask) {
      this.#ping(DOUBTED_PONG);
    }
  }

  // What the server says.

  /** @param {any} frame */
  #hear(frame) {
    switch (frame.type) {
      case "hello":
        return this.#hello(frame);
      case "message":
        return this.#message(frame);
      case "resumed":
        return frame.complete || this.#gap(frame);
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
        this.#goaway = frame.retry_ms;
    }
  }

  /** @param {any} frame */
  #hello({ user, epoch, seq, limits, heartbeat }) {
    this.#greeted = Date.now();
    this.#notBefore = 0;
    this.#heartbeat = 1_000 * heartbeat;
    this.#longest = limits.message_bytes;
    this.user = user;
    this.place ??= { epoch, seq };
    // The next attempt begins with what has worked; but where a WebSocket has, one will again.
    if (this.#trying && !this.#settled) {
      this.#transports.reverse();
      this.#trying = 0;
    }
    this.#settled ||= this.transport === "websocket";
    this.#watch();
    this.#enter("open");
    this.#link?.ask?.({ type: "presence" });
    this.#sendNext();
  }

  /** @param {any} frame */
  #message({ message, seq, time, user }) {
    if (!this.place || seq <= this.place.seq) return;
    this.place = { epoch: this.place.epoch, seq };
    this.#emit("message", { message, seq, time, ...(user && { user }) });
  }

  /** @param {any} frame */
  #gap({ reason, oldest, epoch }) {
    const place = /** @type {Place} */ (this.place);
    /** @type {Gap} */
    const gap = { reason };
    if (reason === "trimmed") {
      gap.missed = oldest - place.seq - 1;
      this.place = { epoch: place.epoch, seq: oldest - 1 };
    } else if (reason === "epoch") {
      this.place = { epoch, seq: 0 };
    }
    this.#emit("gap", gap);
  }

  /** @param {any} frame */
  #present({ users, members }) {
    // It was large, and is no longer.
    if (!members && users <= MANY) this.#link?.ask?.({ type: "presence" });
    this.presence = { users, members: members ?? [] };
    this.#emit("presence", this.presence);
  }

  /** @param {any} frame */
  #comeOrGone({ type, user }) {
    const others = this.presence.members.filter(({ id }) => id !== user.id);
    const members = type === "joined" ? [...others, user] : others;
    const users = this.presence.users + members.length - this.presence.members.length;
    this.presence = { users, members };
    this.#emit("presence", this.presence);
  }

  // Sending.

  #sendNext() {
    while (this.state === "open" && !this.#sent && this.#outbox.items.length) {
      const item = this.#outbox.items[0];
      if (item.tried && Math.abs(Date.now() - item.tried) > NONCE) {
        const detail = "It may have been sent, or not: the server cannot be asked any more.";
        this.#giveUp(item, new ChatError("unknown", detail));
      } else if (bytes(item.message) > this.#longest) {
        this.#giveUp(item, this.#tooLong());
      } else {
        this.#sent = item;
        this.#outbox.keep({ ...item, tried: item.tried || Date.now() });
        this.#link?.say(item);
        this.#after(ANSWER, "answer", () => this.#lost({ reason: "A message got no answer." }));
      }
    }
  }

  /** @param {any} frame */
  #acknowledged({ nonce, seq, time, duplicate }) {
    const promised = this.#promised.get(nonce);
    this.#done(nonce);
    promised?.resolve({ seq, time, ...(duplicate && { duplicate }) });
    this.#sendNext();
  }

  /** @param {any} frame */
  #refused({ nonce, error: { code, detail, retry_ms } }) {
    const item = this.#sent;
    if (!item || item.nonce !== nonce) return;
    clearTimeout(this.#timers.answer);
    if (retry_ms === undefined) {
      this.#giveUp(item, new ChatError(code, detail));
    } else {
      // All but this one say that it was not stored.
      if (code !== "unknown") this.#outbox.keep(item);
      this.#after(Math.min(retry_ms, LATEST), "answer", () => {
        this.#sent = null;
        this.#sendNext();
      });
    }
  }

  /**
   * @param {Item} item
   * @param {ChatError} error
   */
  #giveUp({ nonce, message }, error) {
    const promised = this.#promised.get(nonce);
    this.#done(nonce);
    // From before a reload, there is nobody whom a promise was made.
    if (promised) promised.reject(error);
    else this.#emit("refused", { nonce, message, error });
    this.#sendNext();
  }

  /** @param {string} nonce */
  #done(nonce) {
    if (this.#sent?.nonce === nonce) {
      clearTimeout(this.#timers.answer);
      this.#sent = null;
    }
    this.#promised.delete(nonce);
    this.#outbox.remove(nonce);
    this.#emit("outbox", this.outbox);
  }

  #tooLong() {
    return new ChatError(
      "message_too_long",
      `The message is too long: at most ${this.#longest} bytes of UTF-8 are allowed.`,
    );
  }
}

/** Where the server is, and who asks. */
class Address {
  /**
   * @param {URL} url
   * @param {string} room
   * @param {string | undefined} name
   * @param {string} key
   */
  constructor(url, room, name, key) {
    this.base = new URL(url);
    this.base.protocol = this.base.protocol.replace("ws", "http");
    if (!this.base.pathname.endsWith("/")) this.base.pathname += "/";
    this.room = encodeURIComponent(room);
    this.visitor = [["client", key], ...(name ? [["name", name]] : [])];
  }

  /**
   * @param {string} path
   * @param {string[][]} [query]
   */
  http(path, query = this.visitor) {
    const url = new URL(`${path}${this.room}/`, this.base);
    url.search = String(new URLSearchParams(query));
    return url;
  }

  /**
   * @param {string} path
   * @param {Place | null} place where to go on
   */
  stream(path, place) {
    const since = place ? [["since", `${place.epoch}:${place.seq}`]] : [];
    return this.http(path, [...this.visitor, ...since]);
  }
}

/** @implements {Link} */
class Socket {
  /** @type {WebSocket | undefined} */
  #socket;

  /**
   * @param {Address} address
   * @param {Place | null} place
   * @param {Listener} listener
   */
  constructor(address, place, listener) {
    const url = address.stream("ws/chat/", place);
    url.protocol = url.protocol.replace("http", "ws");
    try {
      this.#socket = new WebSocket(String(url), "livechat.v1");
    } catch {
      // There are none here, or the page's policy forbids them.
      queueMicrotask(() => listener({ end: { mute: true } }));
      return;
    }
    this.#socket.onmessage = ({ data }) => {
      listener();
      listener({ frame: JSON.parse(data) });
    };
    // A close event follows.  Outside of browsers an error that nobody listens to is an uncaught one.
    this.#socket.onerror = () => {};
    this.#socket.onclose = ({ code, reason }) => listener({ end: closed(code, reason) });
  }

  /** @param {Item} item */
  say({ message, nonce }) {
    this.ask({ type: "message", message, nonce });
  }

  /** @param {object} frame */
  ask(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }

  close() {
    this.#socket?.close(1000);
  }
}

/**
 * What a close code means; docs/protocol.md, "Close codes".
 *
 * @param {number} code
 * @param {string} reason
 * @returns {End}
 */
function closed(code, reason) {
  const [, hint, text] = /** @type {RegExpExecArray} */ (/^(?:retry_ms=(\d+) ?)?(.*)$/s.exec(reason));
  const range = Math.floor(code / 100);
  const later = code === 1008 || code === 1013 || range === 42 ? LATER : undefined;
  return {
    code,
    reason: text,
    wait: hint ? Number(hint) : later,
    // New credentials, which the ones in the 4100s ask for, this does not know how to get.
    final: range === 41 || range === 44,
    mute: code === 1006,
  };
}

/**
 * Server-sent events, read by fetch(): an EventSource does not tell why it was refused.
 *
 * @implements {Link}
 */
class Stream {
  #address;
  #listener;
  #over = new AbortController();
  /** @type {End} */
  #end = {};

  /**
   * @param {Address} address
   * @param {Place | null} place
   * @param {Listener} listener
   */
  constructor(address, place, listener) {
    this.#address = address;
    this.#listener = listener;
    this.#read(address.stream("chat/events/", place)).then(
      (end) => listener({ end }),
      () => listener({ end: { reason: "The connection broke.", mute: true, ...this.#end } }),
    );
  }

  /**
   * @param {URL} url
   * @returns {Promise<End>}
   */
  async #read(url) {
    const answer = await fetch(url, {
      cache: "no-store",
      credentials: "omit",
      signal: this.#over.signal,
    });
    if (!answer.ok || !answer.body) {
      const { code, detail, retry_ms, told } = await refusal(answer);
      const final = told && retry_ms === undefined && answer.status < 500;
      return { code, reason: detail, wait: retry_ms, final };
    }
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return { reason: "The connection ended.", ...this.#end };
      this.#listener();
      const events = (text + decoder.decode(value, { stream: true })).split("\n\n");
      text = /** @type {string} */ (events.pop());
      events.forEach((event) => this.#event(event));
    }
  }

  /** @param {string} event */
  #event(event) {
    for (const line of event.split("\n")) {
      const [, field, value] = /^(\w*): ?(.*)$/.exec(line) ?? [];
      if (field === "retry") this.#end = { ...this.#end, wait: Number(value), exact: true };
      if (field === "data") {
        const frame = JSON.parse(value);
        // The last thing that is said to one who is turned away.
        if (frame.type === "error") {
          const { code, detail, retry_ms } = frame.error;
          this.#end = { code, reason: detail, wait: retry_ms };
        }
        this.#listener({ frame });
      }
    }
  }

  /** @param {Item} item */
  async say({ message, nonce }) {
    this.#listener({ frame: await this.#post(message, nonce) });
  }

  /**
   * @param {string} message
   * @param {string} nonce
   */
  async #post(message, nonce) {
    try {
      const answer = await fetch(this.#address.http("chat/send/"), {
        method: "POST",
        body: JSON.stringify({ message }),
        headers: { "Content-Type": "application/json", "Idempotency-Key": nonce },
        credentials: "omit",
        signal: this.#over.signal,
      });
      if (!answer.ok) return { type: "error", nonce, error: await refusal(answer) };
      await answer.text();
      const [seq, time] = ["Seq", "Time"].map((name) =>
        Number(answer.headers.get(`Livechat-${name}`)),
      );
      return { type: "ack", nonce, seq, time };
    } catch {
      const detail = "The server cannot be reached.";
      return { type: "error", nonce, error: { code: "unknown", detail, retry_ms: LATER / 5 } };
    }
  }

  close() {
    this.#over.abort();
  }
}

/**
 * What an HTTP answer says went wrong.
 *
 * @param {Response} answer
 */
async function refusal(answer) {
  const after = Number(answer.headers.get("Retry-After"));
  const told = answer.headers.get("Content-Type")?.startsWith("application/problem+json") ?? false;
  /** @type {Problem} */
  let problem = { code: `http_${answer.status}`, detail: `The answer was ${answer.status}.` };
  try {
    const found = await answer.json();
    if (told) problem = found;
  } catch {
    // Of something between here and the server, which says nothing that one understands.
  }
  const retry_ms = after ? 1_000 * after : told ? undefined : LATER;
  return { code: problem.code, detail: problem.detail, retry_ms, told };
}

/** What waits to be sent, each in an entry of its own, so that no other page's gets lost. */
class Outbox {
  static #newest = 0;
  #prefix;
  #storage = storage("sessionStorage");
  /** @type {Item[]} */
  items = [];

  /** @param {string} prefix */
  constructor(prefix) {
    this.#prefix = prefix;
    const names = Array.from({ length: this.#storage?.length ?? 0 }, (_, at) => this.#storage?.key(at));
    for (const name of names) {
      if (name?.startsWith(prefix)) this.#read(name);
    }
    this.items.sort((one, other) => one.order - other.order);
  }

  /** @param {string} name */
  #read(name) {
    try {
      const { message, order, tried } = JSON.parse(this.#storage?.getItem(name) ?? "");
      this.items.push({ nonce: name.slice(this.#prefix.length), message, order, tried });
    } catch {
      // Somebody else's.
    }
  }

  /** @param {string} message */
  add(message) {
    Outbox.#newest = Math.max(Date.now(), Outbox.#newest + 1);
    const item = { nonce: random(), message, order: Outbox.#newest, tried: 0 };
    this.items.push(item);
    this.keep(item);
    return item;
  }

  /** @param {Item} item */
  keep(item) {
    const { nonce, message, order, tried } = item;
    this.items = this.items.map((each) => (each.nonce === nonce ? item : each));
    try {
      this.#storage?.setItem(this.#prefix + nonce, JSON.stringify({ message, order, tried }));
    } catch {
      // It is full: what waits does not survive a reload.
    }
  }

  /** @param {string} nonce */
  remove(nonce) {
    this.items = this.items.filter((each) => each.nonce !== nonce);
    this.#storage?.removeItem(this.#prefix + nonce);
  }
}

/**
 * The browser's key at a server.
 *
 * @param {string} host
 */
function keptKey(host) {
  const kept = storage("localStorage");
  const name = `livechat:key:${host}`;
  const key = kept?.getItem(name) ?? random();
  try {
    kept?.setItem(name, key);
  } catch {
    // It is full.
  }
  return key;
}

/**
 * A storage of the browser; where there is none, or the page may not use it, nothing.
 *
 * @param {"localStorage" | "sessionStorage"} name
 * @returns {Storage | undefined}
 */
function storage(name) {
  try {
    return globalThis[name];
  } catch {
    return undefined;
  }
}

/** 24 characters that nobody guesses. */
function random() {
  const drawn = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...drawn)).replace(/\+/g, "-").replace(/\//g, "_");
}

/** @param {string} text */
function bytes(text) {
  return new TextEncoder().encode(text).length;
}
