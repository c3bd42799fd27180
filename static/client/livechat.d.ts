/** The types of livechat.js. */

/**
 * Join a room, and stay in it.
 *
 * @param url The server, such as `https://chat.example.org:10443`; `wss:` does as well. One
 *   without a host, such as `/`, is the server that this module came from.
 */
export function connect(url: string | URL, options?: Options): Chat;

export interface Options {
  /** 1 to 128 characters of `A-Z a-z 0-9 . _ ~ -`, but not `.` or `..`. Unless said, `lobby`. */
  room?: string;
  /** By which others see one, 1 to 40 characters. Unless said, the server makes one up. */
  name?: string;
  /**
   * What makes one the same user each time, and is told to nobody: 16 to 64 characters of
   * `A-Z a-z 0-9 _ -`. Unless said, it is made up, and kept in this browser.
   */
  key?: string;
  /** By which way to connect, the best first. Unless said, both. */
  transports?: Transport[];
  /**
   * Gives a token, a JWT, that says which user of your site this is; `name` and `key` do not count then.
   *
   * The function is called before a connection when the last token has less than 30 seconds left, a minute before
   * a token ends, when the server refused one as over (4100), and when the page wakes up with one that is
   * about to end. When it fails, gives nothing, or takes more than 15 seconds, that is tried again, later
   * and later. The token is kept in memory only, and is never part of an address.
   */
  token?: () => string | Promise<string>;
  /** True lets requests to the server bring its cookies; WebSockets always do. Unless said, they do not. */
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

/** A room that one is in. */
export interface Chat extends EventTarget {
  readonly room: string;
  readonly state: State;
  /** By which way it is connected, or was last. */
  readonly transport: Transport;
  /** Whom the server takes one for; null until it has said so. */
  readonly user: User | null;
  /** One's rights in the room; empty until the server has said so. */
  readonly can: ReadonlySet<Right>;
  /** The room's settings, but for those that are the usual ones. */
  readonly settings: Settings;
  /** What moderators have taken from one here; null if nothing. */
  readonly restriction: Restriction | null;
  /** What one has seen, and where one goes on after a break; null until the room is known. */
  readonly place: Place | null;
  /** Who is in the room. */
  readonly presence: Presence;
  /** What is not said yet, the oldest first; some of it may be from before a reload, some wait for a review. */
  readonly outbox: readonly Queued[];

  /**
   * Say something. It waits while there is no connection, survives a reload of the page in the
   * same tab, is sent in the order of the calls, and is said once.
   *
   * Right after the call it is the last of the `outbox`. `replyTo` is the number of the message that
   * it answers. `data` is for programs: JSON of at most 4 KB, kept and passed on as it is; one that
   * is no JSON rejects with a `TypeError`.
   *
   * In slow mode it waits as long as the server says (`slow`), and so does what comes after it. Where messages
   * are reviewed it stays in the `outbox`, with its `case`, and lets others pass; the promise is settled with the
   * review.
   *
   * Rejects with a `ChatError` when it is given up: it is too long (`message_too_long`), 100
   * others are waiting (`outbox_full`), the chat is closed, by whichever side (`closed`), it was
   * discarded (`discarded`), somebody else has signed in meanwhile (`another_user`), or it cannot be found out in time whether it was stored
   * (`unknown`); a moderator or the room's rules do not let it be said (`rejected`, `muted`), it was put off too
   * often (`slow_mode`); or for a reason of the server's, such as `internal`. Who does not look at the promise
   * need not catch that.
   */
  send(message: string, more?: { replyTo?: number; data?: Data }): Promise<Ack>;
  /**
   * Give a message of one's own another text, and other `data`: left out, they are removed. It waits,
   * is sent, and is given up as by `send`. `editable` says until when that works; besides, it rejects
   * with `too_late`, `too_many_edits` (after 20 times), `forbidden` (another's), or `not_found`
   * (there is no such message any more).
   */
  edit(seq: number, text: string, more?: { data?: Data }): Promise<Ack>;
  /**
   * Take back messages of one's own, at most 100: their texts are gone, for everybody and for good.
   * It waits, is sent, and is given up as by `send`; besides, it rejects with `forbidden` (another's)
   * or `not_found` (there is none of them any more).
   */
  retract(seq: number | number[]): Promise<Ack>;
  /**
   * Moderate, or report a message: at once and once, over the connection that there is. Rejects with a
   * `ChatError`: by a reason of the server's, with `unavailable` where there is no connection, and with `unknown`
   * where it is lost before there is an answer. Who does not look at the promise need not catch that.
   */
  act(action: Act): Promise<Done>;
  /** The server's clock: milliseconds since 1970. */
  now(): number;
  /** Whether a message is one's own, and can be edited still, by the server's clock. */
  editable(message: { user?: User; time: number }): boolean;
  /** Give up what is not sent yet. If it was on its way, it may be done all the same. */
  discard(nonce: string): void;
  /**
   * Take another name, as a guest, without leaving the room; the `name` that one has then is in the answer, and on
   * later connections. Others, and one's other tabs, get `renamed`. Without a connection it is the name on the next one,
   * which may be refused then. Rejects as `act`: with `bad_message` (nobody may be called so), `forbidden` (your site says
   * what its users are called) or `rate_limited` (five a minute).
   */
  rename(name: string): Promise<Done>;
  /** Tell the others that something is being written; as often as one likes. */
  typing(): void;
  /**
   * A page of what was said, as it reads now, without what was taken back; the newest one, unless said.
   * What it has may come as a `message` as well: `seq` tells. It may be empty though there are more.
   * Rejects with a `ChatError`.
   */
  history(part?: {
    before?: number;
    after?: number;
    limit?: number;
    /** Only messages with this text, in any case and width. */
    q?: string;
    /** Only what the user with this id said. */
    user?: string;
    /** `user` is the id of a guest. */
    guest?: boolean;
  }): Promise<Page>;
  /** The open cases of the room, the oldest first; only for those that moderate it. Rejects with a `ChatError`. */
  cases(): Promise<Case[]>;
  /** Try again now, if it is waiting. */
  reconnect(): void;
  /**
   * Leave the room. What was not sent yet is given up; or, with `keep`, it is left to the next chat of
   * the same visitor in this room and tab, and the promises that were given for it are not settled.
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

/** What there is to listen to: the `detail` of each event. */
export interface Events {
  state: StateChange;
  /**
   * Each message once, in order, from when the chat was open for the first time; what was said
   * before is `history`. After a `gap` whose reason is `epoch` the newest ones come again.
   */
  message: Message;
  /**
   * A message has another text, whether one has seen it or not; perhaps the text that one has seen
   * already.
   */
  edited: Edited;
  /**
   * Messages were taken back: they are not to be shown any more. One that was taken back before one
   * saw it does not come as a `message`.
   */
  retracted: Retracted;
  /**
   * Messages were missed, and cannot be had any more; so were edits and retractions. Those that follow
   * came after them.
   */
  gap: Gap;
  /** Somebody came or went. */
  presence: Presence;
  typing: Typing;
  /** Somebody in the room, perhaps oneself in another tab, is called otherwise now; `presence` follows. */
  renamed: Renamed;
  /** One's rights changed; comes after each `open`, too. */
  rights: Rights;
  /** The room's settings: before each `rights` of a new connection, and whenever they change. */
  settings: Settings;
  /** Slow mode puts off what is next in the `outbox`; it is sent when that time is over. */
  slow: Slow;
  /**
   * A case was opened or decided: for those that moderate any of the room, for others what they have said or
   * reported.
   */
  case: Case;
  /** Somebody moderated the room; only for those that moderate it. */
  moderated: Moderated;
  /** What waits to be sent has changed. */
  outbox: readonly Queued[];
  /** Something from before a reload was given up; of the rest the promise that was given for it says so. */
  refused: Refused;
  /** Something else was refused; or there is no token to go on with yet (`no_token`). */
  error: Problem;
}

export class ChatEvent<T> extends Event {
  constructor(type: string, detail: T);
  readonly detail: T;
}

export interface StateChange {
  state: State;
  /**
   * Why it is `waiting` or `closed`: a close code of the protocol. While it is `waiting`, 4403 says
   * that the server does not allow pages of this origin; the console says by which option it would; and
   * 4100 that there is no token that is not over. When it is `closed`, 4401 says that the server wants a
   * token, or does not take this one; 4101 that it was revoked; 4403 that one may not enter; and 4100
   * that it is over, and there is no function to get another one.
   */
  code?: number;
  reason?: string;
  /** Milliseconds until it is tried again. */
  retryMs?: number;
}

export interface User {
  id: string;
  name: string;
  /** A badge, which decides nothing: `operator` for an operator, what your token says for a user. */
  role?: string;
  /** The site vouches for this user; left out for a guest. Ids are unique among verified users, and among guests. */
  verified?: boolean;
}

export interface Rights {
  can: ReadonlySet<Right>;
  /** When the token ends: milliseconds since 1970. */
  expires?: number;
  /** Left out where nothing is restricted. */
  restriction?: Restriction;
}

/** What moderators have taken from somebody: the right to send; sending without a review; or everything. */
export interface Restriction {
  kind: "mute" | "hold" | "ban";
  /** When it ends: milliseconds since 1970; left out where it does not by itself. */
  until?: number;
  reason?: string;
}

/** Settings of a room, by the names of the protocol; those that are left out are the usual ones. */
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

/** Something else than to say, by the names of the protocol; docs/protocol.md says what each needs. */
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
  /** Left out, until it is pardoned. */
  seconds?: number;
  reason?: string;
  /** What they said in these last seconds is taken back. */
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
  /** Whether an address was restricted too, where that was asked for. */
  address?: boolean;
  /** The visitor's name now, where another one was asked for. */
  name?: string;
}

export interface Slow {
  nonce: string;
  /** Milliseconds until it is sent. */
  retryMs: number;
}

/** A message that waits for a review, or one that was reported. */
export interface Case {
  case: string;
  kind: "held" | "report";
  state: "open" | "approved" | "rejected" | "closed";
  /** The number of the message, once it is said; or of the reported one. */
  seq?: number;
  ref?: number;
  /** The reviewer's; while it is open, the reporter's. */
  reason?: string;
  /** These are only for those that moderate. */
  time?: number;
  user?: User;
  message?: string;
  replyTo?: number;
  data?: Data;
  reporter?: User;
  reviewer?: Author;
}

/** Who moderated: an operator or a key by its name, or a user. */
export interface Author {
  kind: string;
  user?: User;
  name?: string;
}

export interface Moderated {
  action: { type: string; [name: string]: unknown };
  by: Author;
  time: number;
  /** What was taken from view. */
  text?: string;
}

export interface Message {
  message: string;
  /** It grows. Between two messages there may be numbers of edits, of retractions, and of what is gone. */
  seq: number;
  /** Milliseconds since 1970. */
  time: number;
  /** Nobody, where it was sent without a name. */
  user?: User;
  /** The number of the message that it answers. That one may be gone, or never have been. */
  replyTo?: number;
  data?: Data;
  /** When it was edited last: milliseconds since 1970. */
  edited?: number;
}

/** What programs say to each other beside the text; nothing in it is to be trusted. */
export interface Data {
  [key: string]: unknown;
}

export interface Edited {
  /** Its own number. */
  seq: number;
  time: number;
  /** Which message. */
  ref: number;
  text: string;
  /** Left out, it has none any more. */
  data?: Data;
}

export interface Retracted {
  /** Its own number. */
  seq: number;
  time: number;
  /** Which messages. */
  refs: readonly number[];
  by: "author" | "moderator";
}

export interface Ack {
  /** The number of the message, or of the edit or the retraction. */
  seq: number;
  time: number;
  /** It had been stored before. */
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
  /** The messages had expired; or the room's numbering began anew. */
  reason: "trimmed" | "epoch" | "forbidden";
  /** How many, where that is known; edits and retractions count too. */
  missed?: number;
}

export interface Presence {
  users: number;
  /** At most 100 of them; none where a large room tells only how many there are. */
  members: readonly User[];
}

export interface Typing {
  user: User;
  /** Milliseconds for which that holds, unless it comes again. */
  ttl: number;
}

export interface Renamed {
  /** The visitor, by the new name. */
  user: User;
}

/** Something that waits to be sent. */
export type Queued = QueuedMessage | QueuedEdit | QueuedRetraction;

export interface QueuedMessage {
  type: "message";
  nonce: string;
  message: string;
  replyTo?: number;
  data?: Data;
  /** Under which it waits for a review. */
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
  /** There are others, in the direction that was asked for. */
  more: boolean;
  /** Where they are: `history({ ...page.next, limit })` is the next page. */
  next?: { before?: number; after?: number };
}

export interface Problem {
  code: string;
  detail: string;
}

/** Its message is for people. */
export class ChatError extends Error {
  constructor(code: string, detail: string, more?: { retry_ms?: number; reason?: string; case?: string });
  /** For programs. */
  readonly code: string;
  /** Milliseconds after which it may work, where that is known. */
  readonly retryMs?: number;
  /** A moderator's own words. */
  readonly reason?: string;
  readonly case?: string;
}
