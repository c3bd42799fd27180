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
 * Messages, edits and retractions go by livechat-sender.js, which keeps them in an
 * outbox until they are acknowledged.  A token, where the page has them, comes from livechat-token.js before
 * each attempt.
 *
 * @import { Act, Chat, Data, Events, Gap, Message, Options, Place, Presence, Restriction, Right } from "./livechat.js"
 * @import { Settings, State, Transport, User } from "./livechat.js"
 * @import { End, Link } from "./livechat-links.js"
 */

import { Address, LATEST, Socket, Stream, ask, delay, refusal } from "./livechat-links.js";
import { Outbox } from "./livechat-outbox.js";
import { ChatError, Sender } from "./livechat-sender.js";
import { Tokens, textOf } from "./livechat-token.js";

export { ChatError };

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
/** Between two signs of life of the server, unless it says. */
const HEARTBEAT = 25_000;
/** Before one comes back to a server that refuses the page's origin. */
const REFUSED = 60_000;
/** Between two times at which the others are told that one is writing. */
const TYPING = 3_000;

/** Users of a room beyond which the server tells only how many there are. */
const MANY = 100;
/** Messages that are read anew where a room's numbering began anew. */
const NEWEST = 100;

/**
 * The rights of a user where an older server does not say.
 *
 * @type {Right[]}
 */
const USUAL = ["join", "history", "send"];
/** Errors that say that a new token will not do for this connection. */
const UNFIT = ["forbidden", "unauthorized", "token_revoked"];

/** What the console has been told. */
const told = new Set();

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
  /** @type {ReadonlySet<Right>} */
  can = new Set();
  /** @type {Settings} */
  settings = {};
  /** @type {Restriction | null} */
  restriction = null;

  #address;
  #tokens;
  #sender;
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
  /** Seconds in which a message may be edited; and milliseconds by which the server's clock is ahead. */
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
  /** The server has yet to say whether it takes another token. */
  #renewing = false;
  #typed = -TYPING;
  /** @type {Record<string, ReturnType<typeof setTimeout>>} the timers that run, by what for */
  #timers = {};
  #over = new AbortController();

  /**
   * @param {URL} url
   * @param {Options} options
   */
  constructor(url, { room = "lobby", name, key, transports = [], token, credentials }) {
    super();
    this.room = room;
    this.#transports = transports.length ? [...transports] : ["websocket", "events"];
    this.#ways = this.#transports;
    this.#tokens = new Tokens(token);
    this.#address = new Address(url, room, name, key, this.#tokens, credentials);
    this.#sender = new Sender(new Outbox(this.#address.outbox), {
      isClosed: () => this.state === "closed",
      link: () => (this.state === "open" ? this.#link : null),
      epoch: () => this.place?.epoch,
      isResuming: () => this.#resuming,
      user: () => this.user,
      now: () => this.now(),
      emit: (type, detail) => this.#emit(type, detail),
      lost: (end) => this.#lost(end),
    });
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

  get outbox() {
    return this.#sender.queued;
  }

  /**
   * @param {string} message
   * @param {{ replyTo?: number, data?: Data }} [more]
   */
  send(message, { replyTo, data } = {}) {
    return this.#sender.act({ type: "message", message: whole(message), replyTo, data });
  }

  /**
   * @param {number} ref
   * @param {string} text
   * @param {{ data?: Data }} [more]
   */
  edit(ref, text, { data } = {}) {
    return this.#sender.act({ type: "edit", ref, text: whole(text), data });
  }

  /** @param {number | number[]} refs */
  retract(refs) {
    return this.#sender.act({ type: "retract", refs: [refs].flat() });
  }

  /** @param {{ user?: User, time: number }} message */
  editable({ user, time }) {
    return isSame(user, this.user) && this.now() - time < 1_000 * (this.settings.edit ?? this.#editable);
  }

  now() {
    return Date.now() + this.#ahead;
  }

  /** @param {Act} action */
  act(action) {
    return this.#sender.ask(action);
  }

  /** @param {string} nonce */
  discard(nonce) {
    this.#sender.discard(nonce);
  }

  typing() {
    const now = performance.now();
    if (this.state !== "open" || !this.can.has("send") || now - this.#typed < TYPING) return;
    this.#typed = now;
    this.#link?.ask?.({ type: "typing" });
  }

  /** @param {{ before?: number, after?: number, limit?: number }} [part] */
  async history(part = {}) {
    const asked = Object.entries(part).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    );
    const [rel, name] = part.after === undefined ? ["prev", "before"] : ["next", "after"];
    return this.#fetch("chat/history/", asked, async (answer) => {
      const onward = new RegExp(`\\b${name}=(\\d+)[^>]*>; rel="${rel}"`);
      const [, number] = onward.exec(answer.headers.get("Link") ?? "") ?? [];
      return {
        messages: /** @type {Message[]} */ ((await answer.json()).chat_history.map(said)),
        epoch: answer.headers.get("Livechat-Epoch") ?? "",
        more: number !== undefined,
        ...(number && { next: { [name]: Number(number) } }),
      };
    });
  }

  async cases() {
    return this.#fetch("chat/cases/", [], async (answer) => (await answer.json()).cases.map(said));
  }

  /**
   * @template T
   * @param {string} path
   * @param {string[][]} asked
   * @param {(answer: Response) => Promise<T>} read
   */
  async #fetch(path, asked, read) {
    const { answer, problem } = await this.#address.ask(path, asked, {}, read);
    if (problem) throw new ChatError(problem.told ? problem.code : "unavailable", problem.detail);
    return answer;
  }

  reconnect() {
    if (this.state === "waiting") this.#attempt();
  }

  /** @param {{ keep?: boolean }} [options] */
  close({ keep = false } = {}) {
    if (this.state === "closed") return;
    if (keep) this.#sender.leave();
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
    if (!this.#tokens.isShort) {
      this.#connect();
      return;
    }
    // In place of a connection, until there is a token for one.
    const link = (this.#link = { act() {}, close() {} });
    this.#tokens.renew().then(
      () => this.#link === link && this.#connect(),
      (/** @type {unknown} */ error) => this.#link === link && this.#lost({ code: 4100, reason: textOf(error) }),
    );
  }

  #connect() {
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
    this.#link = null;
    this.#greeted = 0;
    this.#goaway = undefined;
    this.#renewing = false;
    this.#sender.pause();
    link?.close();
  }

  /** @param {End} end */
  #lost(end) {
    const greeted = this.#greeted;
    if (this.#goaway !== undefined) end = { ...end, wait: this.#goaway, exact: true };
    this.#drop();
    // Another token may do.
    const again = end.code === 4100 && this.#tokens.given;
    if (again) this.#tokens.refuse();
    if (end.final && !again) {
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
    this.#tokens.forget();
    const tell = this.#sender.end(reason);
    this.#enter("closed", { code, reason });
    tell();
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
    if (this.state === "open" && this.#tokens.isShort) this.#renew();
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

  /** Go on with another token, before this one ends. */
  async #renew() {
    if (this.#tokens.wait) {
      this.#renewLater();
      return;
    }
    const [link, before] = [this.#link, this.#tokens.value];
    const problem = await this.#tokens.renew().then(() => "", textOf);
    if (this.#link !== link) return;
    if (problem || this.#tokens.value === before || !this.#tokens.lasts(0)) {
      this.#renewLater();
      if (problem) this.#emit("error", { code: "no_token", detail: problem });
    } else if (link?.ask) {
      this.#renewing = true;
      link.ask({ type: "auth", token: this.#tokens.value });
    } else {
      this.#lost({ reason: "The token was renewed.", exact: true });
    }
  }

  #renewLater() {
    this.#after(this.#tokens.wait, "token", () => this.#renew());
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
        return this.#sender.acknowledged(frame);
      case "rights":
        return this.#entitled(frame);
      case "room":
        this.#emit("settings", (this.settings = frame.settings));
        return this.#sender.hurry();
      case "case":
        this.#sender.decided(frame);
        return this.#emit("case", said(frame));
      case "moderated":
        return this.#emit("moderated", said(frame));
      case "error":
        return this.#refused(frame);
      case "goaway":
        this.#goaway = delay(frame.retry_ms);
    }
  }

  /** @param {any} frame */
  #hello({ user, epoch, seq, limits, heartbeat, time, can, expires, settings = {}, restriction }) {
    this.#greeted = performance.now();
    this.#heartbeat = Math.min(delay(1_000 * heartbeat) || HEARTBEAT, LATEST);
    this.#sender.longest = limits.message_bytes;
    this.#editable = limits.edit;
    this.#ahead = time - Date.now() || 0;
    this.#tokens.know(expires, this.#ahead);
    this.#good.add(this.transport);
    this.user = user;
    this.place ??= { epoch, seq };
    this.#watch();
    this.#link?.ask?.({ type: "presence" });
    this.settings = settings;
    this.#know(can ?? USUAL, restriction);
    this.#sender.introduce(user);
    if (!this.#link) return;
    this.#enter("open");
    this.#emit("settings", settings);
    this.#tellRights(expires);
    this.#sender.next();
  }

  /** @param {any} frame */
  #entitled({ can, expires, expiring, restriction }) {
    this.#renewing = false;
    this.#tokens.know(expires, this.#ahead);
    this.#know(can, restriction);
    if (expiring && this.#tokens.given) this.#renew();
    this.#tellRights(expires);
  }

  /**
   * @param {Right[]} can
   * @param {any} [restriction]
   */
  #know(can, restriction) {
    this.can = new Set(can);
    this.restriction = restriction ? { ...restriction, ...inMs("until", restriction.until) } : null;
  }

  /** @param {number | undefined} expires seconds since 1970 */
  #tellRights(expires) {
    if (this.state !== "open") return;
    const { can, restriction } = this;
    this.#emit("rights", { can, ...inMs("expires", expires), ...(restriction && { restriction }) });
  }

  /** @param {any} frame */
  #refused(frame) {
    const { code, detail } = frame.error;
    // Messages that were sent meanwhile go again with another token.
    if (code === "token_expired" && this.#tokens.given) this.#lost({ code: 4100, reason: detail });
    else if (frame.nonce) this.#sender.refused(frame);
    // The token is another user's, or none that the server knows: a connection of its own tells.
    else if (this.#renewing && UNFIT.includes(code)) this.#lost({ reason: detail, exact: true });
    else {
      if (this.#renewing) this.#renewLater();
      this.#emit("error", frame.error);
    }
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
    this.#sender.next();
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
      this.#sender.renumber();
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
    const others = members.filter((each) => !isSame(each, user));
    // Where not all are listed, one who is not may be counted.
    const known = others.length < members.length || (type === "left" && members.length < users);
    const change = type === "joined" ? Number(!known) : -Number(known);
    this.presence = { users: users + change, members: type === "joined" ? [...others, user] : others };
    this.#emit("presence", this.presence);
  }
}

/**
 * A message, or what is about one, as it is called here.
 *
 * @param {any} frame
 */
function said({ type, reply_to: replyTo, ...rest }) {
  return { ...rest, ...(replyTo && { replyTo }) };
}

/**
 * A moment in milliseconds, if there is one.
 *
 * @param {string} name
 * @param {number | undefined} seconds
 */
function inMs(name, seconds) {
  return seconds === undefined ? {} : { [name]: 1_000 * seconds };
}

/**
 * True if two are the same user: an id alone does not say so, because a site's users may choose theirs.
 *
 * @param {User | null | undefined} one
 * @param {User | null | undefined} other
 */
function isSame(one, other) {
  return Boolean(one && other) && one?.id === other?.id && !one?.verified === !other?.verified;
}

/**
 * A text that can be sent: half a surrogate pair could not be, and is none.
 *
 * @param {unknown} text
 */
function whole(text) {
  return String(text).replace(/\p{Surrogate}/gu, "\ufffd");
}
