/**
 * A room of livechat, as React shows it. Components that name the same server, room and visitor share a connection.
 * The connection begins with the first component, and ends with the last one; waiting messages are left to the next.
 *
 * @import { Chat, Gap, Message, Options } from "./livechat.js"
 * @import { Room } from "./react.js"
 */

import { useCallback, useEffect, useRef, useSyncExternalStore } from "react";
import { connect } from "./livechat.js";

const [LONGEST, PAGE] = [1_000, 50]; // messages that a room keeps, and that are read at a time
const early = () => Promise.reject(new Error("The component is not there yet: call this from an event or an effect."));
/** @type {Room} */
const NOWHERE = {
  chat: null, state: "connecting", reason: "", user: null, messages: [], more: false, outbox: [], can: new Set(),
  presence: { users: 0, members: [] }, settings: {}, restriction: null,
  send: early, edit: early, retract: early, older: early, typing: () => {},
};
const stores = /** @type {Map<string, Store>} */ (new Map());

/** @type {typeof import("./react.d.ts").useChat} */
export function useChat(url, { token, ...options } = {}) {
  const as = JSON.stringify([String(url), Boolean(token), options]);
  // Each rendering may bring another function, which is the same visitor's.
  const latest = useRef(token);
  useEffect(() => void (latest.current = token));
  const give = token && (() => /** @type {NonNullable<typeof token>} */ (latest.current)());
  const subscribe = useCallback((/** @type {() => void} */ listener) => {
    const store = stores.get(as) ?? new Store(as, connect(url, { ...options, token: give }));
    return store.subscribe(listener);
  }, [as]);
  return useSyncExternalStore(subscribe, () => stores.get(as)?.now ?? NOWHERE, () => NOWHERE);
}

class Store {
  #listeners = new Set();
  #leaving = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  /** Changes of messages, also of those that are being read. */
  #changes = /** @type {((messages: readonly Message[]) => readonly Message[])[]} */ ([]);
  #read = false;

  /** @param {string} as @param {Chat} chat */
  constructor(as, chat) {
    this.as = as;
    this.chat = chat;
    const change = (/** @type {(messages: readonly Message[]) => readonly Message[]} */ how) => {
      this.#changes = [...this.#changes, how].slice(-LONGEST);
      this.#set({ messages: how(this.now.messages) });
    };
    /** @type {Room} */
    this.now = {
      ...NOWHERE, chat, outbox: chat.outbox, typing: () => chat.typing(), older: () => this.#older(),
      send: chat.send.bind(chat), edit: chat.edit.bind(chat), retract: chat.retract.bind(chat),
    };
    stores.set(as, this);
    chat.addEventListener("state", ({ detail: { state, reason = "" } }) => this.#set({ state, reason }));
    chat.addEventListener("outbox", ({ detail }) => this.#set({ outbox: detail }));
    chat.addEventListener("presence", ({ detail }) => this.#set({ presence: detail }));
    chat.addEventListener("settings", ({ detail }) => this.#set({ settings: detail }));
    chat.addEventListener("rights", ({ detail: { can, restriction = null } }) => {
      this.#set({ can, restriction, user: chat.user });
      if (can.has("history") && !this.#read) this.#older().catch(() => (this.#read = false));
    });
    chat.addEventListener("message", ({ detail }) => this.#add([detail]));
    chat.addEventListener("edited", ({ detail: { ref, text, data, time } }) =>
      change((all) => all.map((each) => (each.seq === ref ? { ...each, message: text, data, edited: time } : each))));
    chat.addEventListener("retracted", ({ detail: { refs } }) =>
      change((all) => all.filter(({ seq }) => !refs.includes(seq))));
    chat.addEventListener("gap", ({ detail }) => detail.reason === "epoch" && this.#set({ messages: [] }));
  }

  /** StrictMode and another view come back at once. */
  subscribe(/** @type {() => void} */ listener) {
    clearTimeout(this.#leaving);
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size) return;
      this.#leaving = setTimeout(() => (stores.delete(this.as), this.chat.close({ keep: true })));
    };
  }

  async #older() {
    this.#read = true;
    const page = await this.chat.history({ before: this.now.messages[0]?.seq, limit: PAGE });
    this.#add(this.#changes.reduce((messages, how) => how(messages), /** @type {readonly Message[]} */ (page.messages)), page.more);
  }

  #add(/** @type {readonly Message[]} */ messages, more = this.now.more) {
    const all = new Map([...messages, ...this.now.messages].map((each) => [each.seq, each]));
    this.#set({ messages: [...all.values()].sort((one, other) => one.seq - other.seq).slice(-LONGEST), more });
  }

  #set(/** @type {Partial<Room>} */ change) {
    this.now = { ...this.now, ...change };
    for (const listener of this.#listeners) listener();
  }
}
