/** The types of livechat.js. */

/**
 * Join a room, and stay in it.
 *
 * @param url The server, such as `https://chat.example.org:10443`; `wss:` works as well. An address
 *   without a host, such as `/`, means the server that this module came from.
 */
export function connect(url: string | URL, options?: Options): Chat;

export interface Options {
  /** The room: 1 to 128 characters of `A-Z a-z 0-9 . _ ~ -`, but not `.` or `..`. By default `lobby`. */
  room?: string;
  /** The visitor's name for others, 1 to 40 characters. By default the server makes one up. */
  name?: string;
  /**
   * A secret that makes the visitor the same user each time: 16 to 64 characters of
   * `A-Z a-z 0-9 _ -`. By default it is made up, and kept in this browser.
   */
  key?: string;
  /** The transports to try, the best first. By default both. */
  transports?: Transport[];
  /**
   * Returns a token, a JWT, that identifies a user of your site; `name` and `key` are ignored then.
   *
   * The function is called before a connection when the last token has less than 30 seconds left, a minute before
   * a token ends, when the server refused one as over (4100), and when the page wakes up with one that is
   * about to end. When it fails, gives nothing, or takes more than 15 seconds, that is tried again, later
   * and later. The token is kept in memory only, and is never part of an address.
   */
  token?: () => string | Promise<string>;
  /** True lets requests to the server bring its cookies, as WebSockets always do. By default false. */
  credentials?: boolean;
}

/** A WebSocket; or server-sent events, with requests to send, where WebSockets are blocked. */
export type Transport = "websocket" | "events";

/**
 * `connecting`; `open`: messages come; `waiting`: it is lost, and will be tried again;
 * `closed`: it is over, and what was not sent yet is given up.
 */
export type State = "connecting" | "open" | "waiting" | "closed";

/** A right in a room. */
export type Right = "join" | "history" | "send" | "moderate" | "manage";

/** A room, and the visitor's connection to it. */
export interface Chat extends EventTarget {
  readonly room: string;
  readonly state: State;
  /** The transport of the connection, or of the last one. */
  readonly transport: Transport;
  /** The visitor, as the server knows them; null before the first connection. */
  readonly user: User | null;
  /** The visitor's rights in the room; empty before the first connection. */
  readonly can: ReadonlySet<Right>;
  /** The room's settings that are not the default ones. */
  readonly settings: Settings;
  /** The visitor's restriction in the room; null without one. */
  readonly restriction: Restriction | null;
  /** The place of the last entry that came, from which a new connection resumes; null until the room is known. */
  readonly place: Place | null;
  /** The users in the room. */
  readonly presence: Presence;
  /** Acts that are not acknowledged, the oldest first; some may be from before a reload, or wait for a review. */
  readonly outbox: readonly Queued[];

  /**
   * Send a message. It waits while there is no connection, survives a reload of the page in the
   * same tab, is sent in the order of the calls, and is stored once.
   *
   * Right after the call it is the last of the `outbox`. `replyTo` is the number of the message that
   * it answers. `data` is for programs: JSON of at most 4 KB, stored and passed on unchanged; other
   * values reject with a `TypeError`.
   *
   * In slow mode the message waits as long as the server says (`slow`), and later ones wait behind it. A message
   * that waits for a review stays in the `outbox`, with its `case`, and lets others pass; the review settles its
   * promise.
   *
   * Rejects with a `ChatError` when the message is given up: it is too long (`message_too_long`), 100
   * others are waiting (`outbox_full`), either side has closed the chat (`closed`), it was discarded
   * (`discarded`), another user has signed in meanwhile (`another_user`), or no answer in time tells if it
   * was stored (`unknown`). A moderator or the room's rules may refuse it (`rejected`, `muted`), slow mode
   * may delay it too often (`slow_mode`), or the server has a reason, such as `internal`. A promise that is
   * ignored causes no unhandled rejection.
   */
  send(message: string, more?: { replyTo?: number; data?: Data }): Promise<Ack>;
  /**
   * Replace the text of one's own message, and its `data`, which are removed if left out. The edit waits,
   * is sent, and is given up as by `send`; `editable` tells if a message can be edited. It also rejects
   * with `too_late`, `too_many_edits` (after 20 times), `forbidden` (another's message), or `not_found`
   * (the message is gone).
   */
  edit(seq: number, text: string, more?: { data?: Data }): Promise<Ack>;
  /**
   * Take back one's own messages, at most 100: their texts are gone, for everybody and for good.
   * The retraction waits, is sent, and is given up as by `send`. It also rejects with `forbidden`
   * (another's message) or `not_found` (all of them are gone).
   */
  retract(seq: number | number[]): Promise<Ack>;
  /**
   * Moderate, or report a message: at once, over the present connection, and never again. Rejects with a
   * `ChatError`: with the server's reason, with `unavailable` without a connection, and with `unknown` if the
   * connection is lost before the answer. A promise that is ignored causes no unhandled rejection.
   */
  act(action: Act): Promise<Done>;
  /** The server's clock: milliseconds since 1970. */
  now(): number;
  /** Tell if a message is one's own and can still be edited, by the server's clock. */
  editable(message: { user?: User; time: number }): boolean;
  /** Give up an act of the `outbox`. If it was on its way, the server may still do it. */
  discard(nonce: string): void;
  /**
   * Take another name, as a guest, without leaving the room; the answer has the new `name`, which later
   * connections keep. Others, and one's other tabs, get `renamed`. Without a connection the next one takes the
   * name, and may be refused for it. Rejects as `act`: with `bad_message` (an invalid name), `forbidden` (your
   * site decides on its users' names) or `rate_limited` (five a minute).
   */
  rename(name: string): Promise<Done>;
  /** Tell the others that the visitor is typing; call it as often as you like. */
  typing(): void;
  /**
   * Read a page of messages, with their present texts and without removed ones; by default the newest page.
   * Its messages may come as a `message` event as well: compare `seq`. A page may be empty although there are
   * more. Rejects with a `ChatError`.
   */
  history(part?: {
    before?: number;
    after?: number;
    limit?: number;
    /** Only messages with this text, in any case and width. */
    q?: string;
    /** Only messages of the user with this id. */
    user?: string;
    /** `user` is the id of a guest. */
    guest?: boolean;
  }): Promise<Page>;
  /** Read the open cases of the room, the oldest first; for its moderators only. Rejects with a `ChatError`. */
  cases(): Promise<Case[]>;
  /** Connect now, if the chat is waiting. */
  reconnect(): void;
  /**
   * Leave the room. Waiting acts are given up; or, with `keep`, they are left to the next chat of
   * the same visitor in this room and tab, and their promises are not settled.
   */
  close(options?: { keep?: boolean }): void;

  addEventListener<K extends keyof Events>(
    type: K,
    listener: (event: ChatEvent<Events[K]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof Events>(
    type: K,
    listener: (event: ChatEvent<Events[K]>) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** The events of a chat, with the `detail` of each. */
export interface Events {
  state: StateChange;
  /**
   * Each message once, in order, from the first connection on; earlier ones are in the `history`.
   * After a `gap` whose reason is `epoch` the newest ones come again.
   */
  message: Message;
  /**
   * A message was edited. The message may not have come before, or with the new text already.
   */
  edited: Edited;
  /**
   * Messages were taken back, and must not be shown any more. A message that was taken back before it
   * came does not come as a `message`.
   */
  retracted: Retracted;
  /**
   * Messages, edits or retractions were missed, and cannot be read any more. Entries that follow are
   * later ones.
   */
  gap: Gap;
  /** A user joined or left. */
  presence: Presence;
  typing: Typing;
  /** A user has another name: maybe the visitor, in another tab. `presence` follows. */
  renamed: Renamed;
  /** The visitor's rights, after each `open`, and whenever they change. */
  rights: Rights;
  /** The room's settings: before each `rights` of a new connection, and whenever they change. */
  settings: Settings;
  /** Slow mode delays the next act of the `outbox`, which is sent afterwards. */
  slow: Slow;
  /**
   * A case was opened or decided. Moderators get all cases of the room, others those of their own messages and
   * reports.
   */
  case: Case;
  /** An act of moderation in the room; for its moderators only. */
  moderated: Moderated;
  /** The `outbox` has changed. */
  outbox: readonly Queued[];
  /** An act from before a reload was given up; for others the promise is rejected. */
  refused: Refused;
  /** Another error; or the page has no further token yet (`no_token`). */
  error: Problem;
}

export class ChatEvent<T> extends Event {
  constructor(type: string, detail: T);
  readonly detail: T;
}

export interface StateChange {
  state: State;
  /**
   * The reason for `waiting` or `closed`: a close code of the protocol. While `waiting`, 4403 means that
   * the server does not allow pages of this origin (the console names the option that would), and 4100
   * that the page has no valid token. When `closed`, 4401 means that the server requires a token, or
   * refuses this one; 4101 that it was revoked; 4403 that the visitor may not enter; and 4100 that the
   * token has expired, and there is no function to get another one.
   */
  code?: number;
  reason?: string;
  /** Milliseconds until the next attempt to connect. */
  retryMs?: number;
}

export interface User {
  id: string;
  name: string;
  /** A badge without any effect: `operator` for an operator, or the role in your token. */
  role?: string;
  /** The site vouches for this user; left out for a guest. Ids are unique among verified users, and among guests. */
  verified?: boolean;
}

export interface Rights {
  can: ReadonlySet<Right>;
  /** The end of the token, in milliseconds since 1970. */
  expires?: number;
  /** Left out without a restriction. */
  restriction?: Restriction;
}

/** A user's restriction: no sending; sending with a review; or no access at all. */
export interface Restriction {
  kind: "mute" | "hold" | "ban";
  /** The end, in milliseconds since 1970; left out if only a pardon ends it. */
  until?: number;
  reason?: string;
}

/** Settings of a room, by the names of the protocol; default values are left out. */
export interface Settings {
  title?: string;
  topic?: string;
  /** The number of a message, which may be gone. */
  pinned?: number;
  closed?: boolean;
  members?: boolean;
  guests?: "on" | "read" | "off";
  /** Seconds between two messages of a user. */
  slow?: number;
  hold?: "none" | "guests" | "all";
  links?: "allow" | "hold" | "refuse";
  /** Seconds for which one's messages can be edited. */
  edit?: number;
  [name: string]: unknown;
}

/** Acts of moderation and reports, by the names of the protocol: see docs/protocol.md. */
export type Act =
  | { type: "report"; ref: number; reason?: string }
  | { type: "review"; case: string; verdict: "approve" | "reject" | "close"; reason?: string }
  | (Restrict & Whom)
  | ({ type: "pardon"; everywhere?: boolean } & Whom)
  | ({ type: "retract"; seconds?: number } & Whom)
  | { type: "clear" }
  | { type: "rename"; name: string }
  | { type: "room"; set: { [Name in keyof Settings]: Settings[Name] | null } };

/** A user by its id; `guest` for one that is not `verified`. */
export interface Whom {
  user: string;
  guest?: boolean;
}

export interface Restrict {
  type: "restrict";
  kind: Restriction["kind"];
  /** Left out for a restriction without an end. */
  seconds?: number;
  reason?: string;
  /** Messages of the user in these last seconds are taken back. */
  retract?: number;
  address?: boolean;
  everywhere?: boolean;
}

/** The answer to an act. */
export interface Done {
  time: number;
  seq?: number;
  duplicate?: boolean;
  /** How many messages were taken back. */
  count?: number;
  /** The case that was opened or decided. */
  case?: string;
  /** If an address was to be restricted: true if it was. */
  address?: boolean;
  /** The visitor's new name, as the answer to `rename`. */
  name?: string;
}

export interface Slow {
  nonce: string;
  /** Milliseconds until the act is sent. */
  retryMs: number;
}

/** A message that waits for a review, or one that was reported. */
export interface Case {
  case: string;
  kind: "held" | "report";
  state: "open" | "approved" | "rejected" | "closed";
  /** The number of the message, once it is approved; or of the reported one. */
  seq?: number;
  ref?: number;
  /** The reviewer's reason; while the case is open, the reporter's. */
  reason?: string;
  /** This and the following are for moderators only. */
  time?: number;
  user?: User;
  message?: string;
  replyTo?: number;
  data?: Data;
  reporter?: User;
  reviewer?: Author;
}

/** The actor: an operator or a key by its name, or a user. */
export interface Author {
  kind: string;
  user?: User;
  name?: string;
}

export interface Moderated {
  action: { type: string; [name: string]: unknown };
  by: Author;
  time: number;
  /** The removed text. */
  text?: string;
}

export interface Message {
  message: string;
  /** An increasing number. Edits, retractions and removed messages take numbers as well. */
  seq: number;
  /** Milliseconds since 1970. */
  time: number;
  /** Left out for a message without an author. */
  user?: User;
  /** The number of the answered message, which may be gone, or never have existed. */
  replyTo?: number;
  data?: Data;
  /** The time of the last edit, in milliseconds since 1970. */
  edited?: number;
}

/** Data of programs, beside the text. Clients write it, so do not trust it. */
export interface Data {
  [key: string]: unknown;
}

export interface Edited {
  /** Its own number. */
  seq: number;
  time: number;
  /** The number of the edited message. */
  ref: number;
  text: string;
  /** Left out if the message has none any more. */
  data?: Data;
}

export interface Retracted {
  /** Its own number. */
  seq: number;
  time: number;
  /** The numbers of the removed messages. */
  refs: readonly number[];
  by: "author" | "moderator";
}

export interface Ack {
  /** The number of the message, or of the edit or the retraction. */
  seq: number;
  time: number;
  /** True if the act had been stored before. */
  duplicate?: boolean;
  /** How many messages were taken back. */
  count?: number;
  /** The case under which it was reviewed. */
  case?: string;
}

/** A room is numbered within an epoch. */
export interface Place {
  epoch: string;
  seq: number;
}

export interface Gap {
  /** `trimmed`: the messages had expired; `epoch`: the room's numbering began anew. */
  reason: "trimmed" | "epoch" | "forbidden";
  /** The number of missed entries, if known; edits and retractions count too. */
  missed?: number;
}

export interface Presence {
  users: number;
  /** At most 100 users; none in a large room, which tells their number only. */
  members: readonly User[];
}

export interface Typing {
  user: User;
  /** Milliseconds for which the user counts as typing, unless the event comes again. */
  ttl: number;
}

export interface Renamed {
  /** The visitor, by the new name. */
  user: User;
}

/** An act that waits to be sent. */
export type Queued = QueuedMessage | QueuedEdit | QueuedRetraction;

export interface QueuedMessage {
  type: "message";
  nonce: string;
  message: string;
  replyTo?: number;
  data?: Data;
  /** The case under which the message waits for a review. */
  case?: string;
}

export interface QueuedEdit {
  type: "edit";
  nonce: string;
  ref: number;
  text: string;
  data?: Data;
  case?: string;
}

export interface QueuedRetraction {
  type: "retract";
  nonce: string;
  refs: number[];
}

export type Refused = Queued & { error: ChatError };

export interface Page {
  /** Oldest first. */
  messages: Message[];
  epoch: string;
  /** True if there are more messages in the direction that was asked for. */
  more: boolean;
  /** The place of the next page, which is `history({ ...page.next, limit })`. */
  next?: { before?: number; after?: number };
}

export interface Problem {
  code: string;
  detail: string;
}

/** An error of a chat; its `message` is for people. */
export class ChatError extends Error {
  constructor(code: string, detail: string, more?: { retry_ms?: number; reason?: string; case?: string });
  /** The error's code, for programs. */
  readonly code: string;
  /** Milliseconds after which another attempt may succeed, if known. */
  readonly retryMs?: number;
  /** A moderator's own words. */
  readonly reason?: string;
  readonly case?: string;
}
