/**
 * Links to a livechat server: a WebSocket and requests, and their answers about coming back.
 * livechat-events.js is another way, without WebSockets.
 *
 * @import { Events, Place, Problem } from "./livechat.js"
 * @import { Asked } from "./livechat-outbox.js"
 * @import { Tokens } from "./livechat-token.js"
 */

import { frameOf, keptKey } from "./livechat-outbox.js";
import { textOf } from "./livechat-token.js";

// Milliseconds.

/** For a message to be answered, and a page of history. */
export const ANSWER = 15_000;
/** After which one comes back whom the server wants later, if it does not say when; and at most. */
const LATER = 10_000;
export const LATEST = 3_600_000;

/** Close codes of those who have not heard of this protocol. */
const STRANGERS = [1000, 1001, 1005, 1006, 1011];
/**
 * The end of a connection.
 *
 * @typedef {object} End
 * @property {number} [code] a close code
 * @property {string} [reason]
 * @property {number} [wait] milliseconds that the server wants one to stay away
 * @property {boolean} [exact] that was chosen at random already
 * @property {boolean} [final] not to come back
 * @property {boolean} [mute] it was not the server that said so: there may be another way
 */

/**
 * Is told that the server gave a sign of life; what it says, which is a frame; and at last of
 * the end.
 *
 * @typedef {(more?: { data?: string, end?: End }) => void} Listener
 */

/**
 * A way to the server.
 *
 * @typedef {object} Link
 * @property {(item: Asked) => void} act
 * @property {(frame: object) => void} [ask] where more can be sent than what is to be stored
 * @property {() => void} close
 */

/** @typedef {new (address: Address, place: Place | null, listener: Listener) => Link} Way */

/**
 * The room that is connected.
 *
 * @typedef {object} Host
 * @property {() => Place | null} resume where a new connection goes on
 * @property {(frame: any) => void} hear
 * @property {() => void} dropped a connection is gone
 * @property {(reason: string) => () => void} ended it is over; the function tells so
 * @property {<K extends "state" | "error">(type: K, detail: Events[K]) => void} emit
 */

/**
 * The address of a server. `localhost:10443` is a URL, too, but of no server.
 *
 * @param {string | URL} given
 * @param {string} base
 */
export function locate(given, base) {
  const url = new URL(given, base);
  if (/^(http|ws)s?:$/.test(url.protocol) && !/^[\w-]+(\.[\w-]+)+(:|\/|$)/.test(String(given))) return url;
  throw new TypeError(`livechat: "${given}" is no address of a server: use "https://${given}".`);
}

/** The server's address, with the visitor's name and key. */
export class Address {
  /**
   * @param {URL} url
   * @param {string} room
   * @param {string | undefined} name
   * @param {string | undefined} key
   * @param {Tokens} tokens
   * @param {boolean} [cookies] whether the server gets those that it has set
   */
  constructor(url, room, name, key, tokens, cookies) {
    this.base = new URL(url);
    this.base.protocol = this.base.protocol.replace("ws", "http");
    if (!this.base.pathname.endsWith("/")) this.base.pathname += "/";
    this.base.search = this.base.hash = "";
    this.room = encodeURIComponent(room);
    this.key = key ?? keptKey(`livechat:key:${this.base.href}`);
    this.name = name;
    this.tokens = tokens;
    this.credentials = /** @type {RequestCredentials} */ (cookies ? "include" : "omit");
  }

  /** The visitor, perhaps by another name than on the last connection. */
  get visitor() {
    const { key: client, name } = this;
    return Object.entries(name ? { client, name } : { client });
  }

  /** Under which name what waits to be sent is kept: it is for this room, and this visitor's. */
  get outbox() {
    return `livechat:outbox:${JSON.stringify([this.base.href, this.room, this.key])}:`;
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

  /**
   * Ask something about the room.
   *
   * @template T
   * @param {string} path
   * @param {string[][] | undefined} query
   * @param {RequestInit} options
   * @param {(answer: Response) => Promise<T>} read
   * @returns {Promise<Answered<T>>}
   */
  async ask(path, query, options, read) {
    const { tokens, credentials } = this;
    const once = async () => {
      const headers = { ...options.headers, ...(await tokens.headers()) };
      return ask(this.http(path, query), { credentials, ...options, headers }, read);
    };
    try {
      const first = await once();
      if (first.problem?.code !== "token_expired" || !tokens.given) return first;
      tokens.refuse();
      return await once();
    } catch (error) {
      // The page has no token.
      return { problem: { code: "unavailable", detail: textOf(error), retry_ms: LATER, told: false } };
    }
  }
}

/** @implements {Link} */
export class Socket {
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
    const { value } = address.tokens;
    try {
      this.#socket = new WebSocket(String(url), ["livechat.v1", ...(value ? [`livechat.token.${value}`] : [])]);
    } catch {
      // The browser has no WebSockets, or the page's policy forbids them.
      queueMicrotask(() => listener({ end: { mute: true } }));
      return;
    }
    this.#socket.onmessage = ({ data }) => {
      listener();
      listener({ data });
    };
    // A close event follows.  Outside of browsers an error that nobody listens to is an uncaught one.
    this.#socket.onerror = () => {};
    this.#socket.onclose = ({ code, reason }) => listener({ end: closed(code, reason) });
  }

  /** @param {Asked} item */
  act(item) {
    this.ask(frameOf(item));
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
 * Translate a close code; see docs/protocol.md, "Close codes".
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
    wait: hint ? delay(hint) : later,
    // The 4100s ask for new credentials, which the page may have.
    final: range === 41 || range === 44,
    mute: STRANGERS.includes(code),
  };
}

/**
 * Ask something by HTTP, to which there is an answer soon or none.
 *
 * @template T
 * @param {URL} url
 * @param {RequestInit} options
 * @param {(answer: Response) => Promise<T>} read
 * @returns {Promise<Answered<T>>}
 */
export async function ask(url, options, read) {
  const over = new AbortController();
  // Before anybody else loses patience.
  const timer = setTimeout(() => over.abort(), ANSWER - 1_000);
  try {
    const answer = await fetch(url, {
      credentials: "omit",
      ...options,
      redirect: "error",
      signal: over.signal,
    });
    // An act that was accepted only (202) is not done yet.
    const done = answer.ok && answer.status !== 202;
    return done ? { answer: await read(answer) } : { problem: await problemOf(answer) };
  } catch {
    const detail = "The server cannot be reached.";
    return { problem: { code: "unknown", detail, retry_ms: LATER / 5, told: false } };
  } finally {
    clearTimeout(timer);
  }
}

/** @typedef {Problem & { retry_ms?: number, reason?: string, case?: string, told: boolean }} Told */
/**
 * @template T
 * @typedef {{ answer: T, problem?: undefined } | { answer?: undefined, problem: Told }} Answered
 */

/**
 * Read the problem of an HTTP answer.
 *
 * @param {Response} answer
 * @returns {Promise<Told>}
 */
export async function problemOf(answer) {
  const { status, headers } = answer;
  const isProblem = headers.get("Content-Type")?.startsWith("application/problem+json");
  const found = await answer.json().catch(() => undefined);
  if (status === 202 && found?.case) return { code: "held", detail: found.message, case: found.case, told: true };
  if (isProblem && typeof found?.code === "string") {
    const after = Number(headers.get("Retry-After"));
    const retry_ms = after ? 1_000 * after : undefined;
    return { code: found.code, detail: String(found.detail), retry_ms, reason: found.reason, told: true };
  }
  // The answer is a proxy's, behind which the server may have done the request.
  const detail = `The answer was ${status}, and not the server's.`;
  const retries = status < 400 || status >= 500 || [408, 425, 429].includes(status);
  return retries
    ? { code: "unknown", detail, retry_ms: LATER, told: false }
    : { code: `http_${status}`, detail, told: false };
}

/**
 * Milliseconds that somebody else has chosen, if one can wait that long.
 *
 * @param {unknown} given
 */
export function delay(given) {
  const number = given === "" || given === null ? NaN : Number(given);
  return number >= 0 ? Math.min(number, LATEST) : undefined;
}
