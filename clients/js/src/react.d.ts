import type { Ack, Chat, Data, Message, Options, Presence, Queued, Restriction, Right, Settings, State, User } from "./livechat.js";

/**
 * A room, kept up to date while the component is there.
 *
 *     const { messages, state, send } = useChat("https://chat.example.org", { room: "lobby", token });
 *
 * Components that name the same server, room and visitor share one connection.
 */
export function useChat(url: string | URL, options?: Options): Room;

export interface Room {
  /** The chat of the library, with all its events; null on a server, and at the first rendering. */
  readonly chat: Chat | null;
  readonly state: State;
  /** Why it is waiting or closed. */
  readonly reason: string;
  readonly user: User | null;
  /** The newest 50 at first, and what is said from then on: oldest first, at most 1,000. */
  readonly messages: readonly Message[];
  /** True while `older` can read more. */
  readonly more: boolean;
  readonly outbox: readonly Queued[];
  readonly can: ReadonlySet<Right>;
  readonly presence: Presence;
  readonly settings: Settings;
  readonly restriction: Restriction | null;
  readonly send: (message: string, more?: { replyTo?: number; data?: Data }) => Promise<Ack>;
  readonly edit: (seq: number, text: string, more?: { data?: Data }) => Promise<Ack>;
  readonly retract: (seq: number | number[]) => Promise<Ack>;
  readonly typing: () => void;
  /** Read 50 older messages. */
  readonly older: () => Promise<void>;
}
