/**
 * The connection to a room: one after the other, as long as the room is not left.
 *
 *     connecting --hello--> open --lost--> waiting --time--> connecting ...
 *          |                  |               |
 *          +------------------+---------------+--> closed: the page's wish, or the server's
 *
 * Each attempt tries a WebSocket, and where none can be had server-sent events.  A token, where the page
 * has them, comes from livechat-token.js before each attempt.
 *
 * @import { Events, Place, Problem, State, Transport } from "./livechat.js"
 * @import { End, Host, Link, Way } from "./livechat-links.js"
 * @import { Tokens } from "./livechat-token.js"
 */

import { Address, LATEST, Socket, delay } from "./livechat-links.js";
import { textOf } from "./livechat-token.js";

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

/** Errors that say that a new token will not do for this connection. */
const UNFIT = ["forbidden", "unauthorized", "token_revoked"];

export class Connection {
  /** @type {State} */
  state = "connecting";
  #address;
  #tokens;
  #host;
  /** @type {Transport[]} */
  #transports;
  /** @type {Transport[]} those that this attempt has yet to try, this one first */
  #ways;
  /** The transports that have worked. */
  #good = new Set();
  /** @type {Map<Transport, number>} when others have failed without a word */
  #failed = new Map();
  /** @type {Link | null} */
  #link = null;
  /** The time of the server's hello; 0 before it. */
  #greeted = 0;
  /** The time of the server's last sign of life; and true if it has answered the last ping. */
  #heard = 0;
  #answered = false;
  #heartbeat = HEARTBEAT;
  /** @type {number | undefined} milliseconds for which the server, which goes, wants one away */
  #goaway;
  #attempts = 0;
  /** Before which the server does not want one back; and when it is tried. */
  #notBefore = 0;
  #retryAt = 0;
  /** The server has yet to say whether it takes another token. */
  #renewing = false;
  /** @type {Record<string, ReturnType<typeof setTimeout>>} the timers that run, by what for */
  #timers = {};
  #over = new AbortController();

  /**
   * @param {Address} address
   * @param {Tokens} tokens
   * @param {Transport[]} transports
   * @param {Host} host
   */
  constructor(address, tokens, transports, host) {
    this.#transports = transports.length ? [...transports] : ["websocket", "events"];
    this.#ways = this.#transports;
    this.#address = address;
    this.#tokens = tokens;
    this.#host = host;
    this.#listen(globalThis, "online", () => this.#doubt(true));
    this.#listen(globalThis, "offline", () => this.#doubt());
    this.#listen(globalThis.document, "visibilitychange", () => {
      if (!document.hidden) this.#doubt();
    });
  }

  get transport() {
    return this.#ways[0];
  }

  /** The way to the server; null where it does not listen yet. */
  get link() {
    return this.state === "open" ? this.#link : null;
  }

  get isThere() {
    return this.#link !== null;
  }

  /** @param {object} frame */
  ask(frame) {
    this.#link?.ask?.(frame);
  }

  reconnect() {
    if (this.state === "waiting") this.attempt();
  }

  /**
   * @param {State} state
   * @param {object} [more]
   */
  enter(state, more = {}) {
    this.state = state;
    this.#host.emit("state", { state, ...more });
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

  attempt() {
    const now = performance.now();
    const avoided = (/** @type {Transport} */ way) =>
      !this.#good.has(way) && now - (this.#failed.get(way) ?? -AVOIDED) < AVOIDED;
    this.#ways = [...this.#transports].sort((one, other) => Number(avoided(one)) - Number(avoided(other)));
    this.#drop();
    if (this.state !== "connecting") this.enter("connecting");
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
      (/** @type {unknown} */ error) => this.#link === link && this.lost({ code: 4100, reason: textOf(error) }),
    );
  }

  #connect() {
    if (this.transport === "websocket") return this.#begin(Socket);
    const link = (this.#link = { act() {}, close() {} });
    this.#await();
    return void import("./livechat-events.js").then(
      ({ Stream }) => this.#link === link && this.#begin(Stream),
      () => this.#link === link && this.lost({ reason: "Its module cannot be loaded.", mute: true }),
    );
  }

  /** @param {Way} way */
  #begin(way) {
    /** @type {Link} */
    const link = new way(this.#address, this.#host.resume(), (more) => {
      // Frames of a link that was given up are ignored.
      if (this.#link !== link) return;
      if (!more) {
        this.#heard = performance.now();
        this.#answered = true;
      }
      if (more?.data !== undefined) this.#read(more.data);
      if (more?.end) this.lost(more.end);
    });
    this.#link = link;
    this.#await();
  }

  #await() {
    this.#after(CONNECT, "silence", () => this.lost({ reason: "No answer came.", mute: true }));
  }

  #drop() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    const link = this.#link;
    this.#link = null;
    this.#greeted = 0;
    this.#goaway = undefined;
    this.#renewing = false;
    this.#host.dropped();
    link?.close();
  }

  /** @param {End} end */
  lost(end) {
    const greeted = this.#greeted;
    if (this.#goaway !== undefined) end = { ...end, wait: this.#goaway, exact: true };
    this.#drop();
    // Another token may do.
    const again = end.code === 4100 && this.#tokens.given;
    if (again) this.#tokens.refuse();
    if (end.final && !again) {
      this.end(end);
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
    this.enter("waiting", { code, reason, retryMs: Math.round(retryMs) });
  }

  /** Say so, if the server cannot be reached only because it refuses the page's origin. */
  async #explain() {
    const events = await import("./livechat-events.js").catch(() => undefined);
    if (!(await events?.isRefused(this.#address, () => this.state === "waiting"))) return;
    this.#wait({ code: 4403, reason: "The server does not allow pages of this site.", wait: REFUSED });
  }

  /** @param {number} delay */
  #retryIn(delay) {
    this.#retryAt = performance.now() + delay;
    this.#after(delay, "retry", () => this.attempt());
  }

  /** @param {End} end */
  end({ code, reason = "" }) {
    this.#drop();
    this.#over.abort();
    this.#tokens.forget();
    const tell = this.#host.ended(reason);
    this.enter("closed", { code, reason });
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
      else this.lost({ reason: "Nothing was heard for too long." });
    });
  }

  /**
   * Check the connection, as the page was asleep, or the network has changed.
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
      // A stream of events cannot be pinged, and a new one loses nothing.
      this.lost({ reason: "The network has changed." });
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
      if (problem) this.#host.emit("error", { code: "no_token", detail: problem });
    } else if (link?.ask) {
      this.#renewing = true;
      link.ask({ type: "auth", token: this.#tokens.value });
    } else {
      this.lost({ reason: "The token was renewed.", exact: true });
    }
  }

  #renewLater() {
    this.#after(this.#tokens.wait, "token", () => this.#renew());
  }

  /** @param {string} data */
  #read(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      this.lost({ reason: "What came is not the protocol." });
      return;
    }
    this.#host.hear(frame);
  }

  /**
   * The server has said hello.
   *
   * @param {number} heartbeat seconds
   */
  greeted(heartbeat) {
    this.#greeted = performance.now();
    this.#heartbeat = Math.min(delay(1_000 * heartbeat) || HEARTBEAT, LATEST);
    this.#good.add(this.transport);
    this.#watch();
  }

  /**
   * The server is about to go.
   *
   * @param {unknown} retryMs
   */
  going(retryMs) {
    this.#goaway = delay(retryMs);
  }

  /**
   * The server took a token, or says that one ends.
   *
   * @param {boolean} expiring
   */
  entitled(expiring) {
    this.#renewing = false;
    if (expiring && this.#tokens.given) this.#renew();
  }

  /**
   * Do what is to be done where the server refuses a token.
   *
   * @param {Problem} problem
   * @param {string | undefined} nonce of what was refused
   * @returns {boolean} whether there is nothing else to do
   */
  refused({ code, detail }, nonce) {
    // Messages that were sent meanwhile go again with another token.
    if (code === "token_expired" && this.#tokens.given) this.lost({ code: 4100, reason: detail });
    else if (nonce || !this.#renewing) return false;
    // The token is another user's, or none that the server knows: a connection of its own tells.
    else if (UNFIT.includes(code)) this.lost({ reason: detail, exact: true });
    else {
      this.#renewLater();
      return false;
    }
    return true;
  }
}
