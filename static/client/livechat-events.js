/**
 * Another way to a livechat server, where no WebSocket can be had: server-sent events and requests; and why there
 * may be none at all. It is loaded when it is tried.
 *
 * @import { Place } from "./livechat.js"
 * @import { Address, End, Link, Listener, Told } from "./livechat-links.js"
 * @import { Asked } from "./livechat-outbox.js"
 */

import { ask, delay, problemOf } from "./livechat-links.js";
import { frameOf } from "./livechat-outbox.js";

/** Characters of an event. */
const LONGEST_EVENT = 1 << 24;
/** Close codes that stand for errors after which one does not come back as one is. */
const CODES = /** @type {Record<string, number>} */ ({
  token_expired: 4100, token_revoked: 4101, banned: 4403, room_closed: 4404,
});

/**
 * Server-sent events, read by fetch(): an EventSource does not tell why it was refused.
 *
 * @implements {Link}
 */
export class Stream {
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
    const { credentials, tokens } = this.#address;
    const answer = await fetch(url, {
      cache: "no-store",
      credentials,
      headers: tokens.header,
      redirect: tokens.value ? "error" : "follow",
      signal: this.#over.signal,
    });
    const isStream = answer.headers.get("Content-Type")?.startsWith("text/event-stream");
    if (!answer.ok || !answer.body || !isStream) return refused(answer.status, await problemOf(answer));
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done || text.length > LONGEST_EVENT) return { reason: "The connection ended.", ...this.#end };
      this.#listener();
      text += decoder.decode(value, { stream: true });
      // A line may end by any of them; whether one that ends here does is known by what follows.
      const lines = text.split(/\r\n|\n|\r(?!$)/);
      text = /** @type {string} */ (lines.pop());
      for (const line of lines) this.#line(line);
    }
  }

  /** @param {string} line of an event, whose data is always one line */
  #line(line) {
    const at = line.indexOf(":");
    const field = line.slice(0, at);
    const value = line.slice(at + 1).replace(/^ /, "");
    if (field === "retry") this.#end = { ...this.#end, wait: delay(value), exact: true };
    if (field !== "data") return;
    // The last thing that is said to one who is turned away.
    const [, error] = /^{"type":"error","error":(.*)}$/s.exec(value) ?? [];
    if (error) {
      const { code, detail, retry_ms } = JSON.parse(error);
      const known = CODES[code];
      this.#end = { code: known, reason: detail, wait: delay(retry_ms), final: known !== undefined };
    }
    this.#listener({ data: value });
  }

  /** @param {Asked} item */
  async act(item) {
    const posted = {
      method: "POST",
      body: JSON.stringify(frameOf(item)),
      headers: { "Content-Type": "application/json" },
    };
    const { nonce } = item;
    const { answer, problem } = await this.#address.ask("chat/actions/", undefined, posted, async (answer) => {
      const ack = await answer.json();
      // The answer is not the server's.
      if (!(ack.time >= 0)) throw new TypeError();
      return { ...ack, type: "ack", nonce };
    });
    const frame = answer ?? { type: "error", nonce, error: problem };
    this.#listener({ data: JSON.stringify(frame) });
  }

  close() {
    this.#over.abort();
  }
}

/**
 * The meaning of an HTTP status for those who want to connect.
 *
 * @param {number} status
 * @param {Told} problem
 * @returns {End}
 */
function refused(status, { code: error, detail, retry_ms, told }) {
  const known = CODES[error];
  const never = retry_ms === undefined && status < 500 && status !== 408;
  const final = told && (known !== undefined || never);
  const code = known ?? { 401: 4401, 403: 4403, 429: 4200, 500: 4002, 503: 1013 }[status] ?? 4400;
  return { code: told ? code : undefined, reason: detail, wait: delay(retry_ms), final, mute: !told };
}

/** Lines that the console has had. */
const told = new Set();

/**
 * Tell whether the server refuses pages of this origin, which browsers do not show them. The console is told why.
 *
 * @param {Address} address
 * @param {() => boolean} isAsked still, when the answer is there
 */
export async function isRefused({ base }, isAsked) {
  const { origin } = globalThis;
  if (!origin || origin === base.origin) return false;
  const { answer } = await ask(new URL("chat/origin/", base), {}, (answer) => answer.json());
  if (answer?.allowed !== false || !isAsked()) return false;
  // A file has no origin, nor has a frame in a sandbox.
  const ways = [origin === "null" && "serve them by HTTP, and not in a sandbox", answer.option && `start it with ${answer.option}`];
  const why = `${base.origin} refuses pages of ${origin}: ${ways.filter(Boolean).join(", or ")}`;
  if (!told.has(why)) console.error("livechat:", why);
  told.add(why);
  return true;
}
