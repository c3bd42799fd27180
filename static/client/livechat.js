/**
 * A client of livechat: it joins a room, and stays in it.
 *
 *     import { connect } from "https://chat.example.org:10443/static/livechat.js";
 *
 *     const chat = connect("https://chat.example.org:10443", { room: "lobby", name: "Ann" });
 *     chat.addEventListener("message", ({ detail }) => console.log(detail.message));
 *     await chat.send("hi");
 *
 * livechat.d.ts describes the library, and docs/protocol.md the protocol.
 * A client that comes back names the last entry that it has seen, so no gap goes unnoticed.
 * livechat-connection.js connects, as often as it takes. Messages, edits and retractions go by
 * livechat-sender.js, which keeps them in an outbox until they are acknowledged.
 *
 * @import { Act, Chat, Data, Events, Gap, Message, Options, Place, Presence, Restriction, Right } from "./livechat.js"
 * @import { Settings, User } from "./livechat.js"
 */

import { Connection } from "./livechat-connection.js";
import { Address, locate } from "./livechat-links.js";
import { Outbox } from "./livechat-outbox.js";
import { changed, inMs, isSame, isSmallAgain, said, whole } from "./livechat-frames.js";
import { ChatError, Sender } from "./livechat-sender.js";
import { Tokens } from "./livechat-token.js";

export { ChatError };

/** Milliseconds between two times at which the others are told that one is writing. */
const TYPING = 3_000;

/** Messages that are read anew where a room's numbering began anew. */
const NEWEST = 100;

/**
 * The rights of a user where an older server does not say.
 *
 * @type {Right[]}
 */
const USUAL = ["join", "history", "send"];

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
  // The declarations type the listeners, not the code that inherits them.
  return /** @type {any} */ (new Room(locate(url, import.meta.url), options));
}

/** @implements {Omit<Chat, keyof EventTarget>} */
class Room extends EventTarget {
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
  /** @type {Sender} */
  #sender;
  /** @type {Connection} */
  #connection;
  /** Seconds in which a message may be edited; and milliseconds by which the server's clock is ahead. */
  #editable = 0;
  #ahead = 0;
  /** The next entry may have any number. */
  #anew = false;
  /** The server has yet to say whether it has what one has seen. */
  #resuming = false;
  #typed = -TYPING;

  /**
   * @param {URL} url
   * @param {Options} options
   */
  constructor(url, { room = "lobby", name, key, transports = [], token, credentials }) {
    super();
    this.room = room;
    this.#tokens = new Tokens(token);
    this.#address = new Address(url, room, name, key, this.#tokens, credentials);
    const emit = this.#emit.bind(this);
    const connection = (this.#connection = new Connection(this.#address, this.#tokens, transports, {
      resume: () => {
        this.#resuming = this.place !== null;
        return this.place;
      },
      hear: (frame) => this.#hear(frame),
      dropped: () => this.#sender.pause(),
      ended: (reason) => this.#sender.end(reason),
      emit,
    }));
    this.#sender = new Sender(new Outbox(this.#address.outbox), {
      isClosed: () => this.state === "closed",
      link: () => connection.link,
      epoch: () => this.place?.epoch,
      isResuming: () => this.#resuming,
      user: () => this.user,
      now: () => this.now(),
      emit,
      lost: (end) => connection.lost(end),
    });
    connection.attempt();
  }

  get state() {
    return this.#connection.state;
  }

  get transport() {
    return this.#connection.transport;
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

  /** @param {string} name */
  async rename(name) {
    // Without a connection it is the name on the next one.
    const away = ["waiting", "connecting"].includes(this.state);
    const done = away ? { time: this.now(), name } : await this.act({ type: "rename", name });
    this.#address.name = done.name;
    if (this.user) this.#renamed({ type: "renamed", user: { ...this.user, name: done.name ?? name } });
    return done;
  }

  typing() {
    const now = performance.now();
    if (this.state !== "open" || !this.can.has("send") || now - this.#typed < TYPING) return;
    this.#typed = now;
    this.#connection.ask({ type: "typing" });
  }

  /** @param {{ before?: number, after?: number, limit?: number, q?: string, user?: string, guest?: boolean }} [part] */
  async history(part = {}) {
    const asked = Object.entries(part).flatMap(([name, value]) =>
      value === undefined || value === false ? [] : [[name, value === true ? "1" : String(value)]],
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
    const found = [];
    for (let after = ""; after !== null; ) {
      const page = await this.#fetch("chat/cases/", after ? [["after", after]] : [], (answer) => answer.json());
      found.push(...page.cases.map((/** @type {object} */ each) => ({ ...said(each), state: "open" })));
      after = page.next ?? null;
    }
    return found;
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
    this.#connection.reconnect();
  }

  /** @param {{ keep?: boolean }} [options] */
  close({ keep = false } = {}) {
    if (this.state === "closed") return;
    if (keep) this.#sender.leave();
    this.#connection.end({ code: 1000, reason: "The chat was left." });
  }

  /**
   * @template {keyof Events} K
   * @param {K} type
   * @param {Events[K]} detail
   */
  #emit(type, detail) {
    this.dispatchEvent(new ChatEvent(type, detail));
  }

  // Frames of the server.

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
      case "joined":
      case "left":
        return this.#present(frame);
      case "renamed":
        return this.#renamed(frame);
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
        this.#connection.going(frame.retry_ms);
    }
  }

  /** @param {any} frame */
  #hello({ user, epoch, seq, limits, heartbeat, time, can, expires, settings = {}, restriction }) {
    this.#sender.longest = limits.message_bytes;
    this.#editable = limits.edit;
    this.#ahead = time - Date.now() || 0;
    this.#tokens.know(expires, this.#ahead);
    this.user = user;
    this.place ??= { epoch, seq };
    this.#connection.greeted(heartbeat);
    this.#connection.ask({ type: "presence" });
    this.settings = settings;
    this.#know(can ?? USUAL, restriction);
    this.#sender.introduce(user);
    if (!this.#connection.isThere) return;
    this.#connection.enter("open");
    this.#emit("settings", settings);
    this.#tellRights(expires);
    this.#sender.next();
  }

  /** @param {any} frame */
  #entitled({ can, expires, expiring, restriction }) {
    this.#tokens.know(expires, this.#ahead);
    this.#know(can, restriction);
    this.#connection.entitled(expiring);
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
    const { error, nonce } = frame;
    if (this.#connection.refused(error, nonce)) return;
    if (nonce) this.#sender.refused(frame);
    else this.#emit("error", error);
  }

  /** @param {any} frame with a number, of whatever kind */
  #entry(frame) {
    const { seq } = frame;
    const place = this.place;
    if (!place || (seq <= place.seq && !this.#anew)) return;
    if (seq > place.seq + 1 && !this.#anew) {
      // The server never skips an entry; if it did, a new connection would bring it.
      this.#connection.lost({ reason: "An entry is missing." });
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
  #renamed(frame) {
    const { user } = frame;
    if (isSame(user, this.user)) this.#address.name = (this.user = user).name;
    this.#emit("renamed", { user });
    this.#present(frame);
  }

  /** @param {any} frame */
  #present(frame) {
    const before = this.presence;
    this.presence = changed(before, frame);
    if (isSmallAgain(before, frame)) this.#connection.ask({ type: "presence" });
    this.#emit("presence", this.presence);
  }
}
