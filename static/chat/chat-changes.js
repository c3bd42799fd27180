/**
 * Changes of messages: their new texts, and the retracted ones.
 *
 * A page of the history may have been read before a change that was heard of meanwhile; what was heard
 * counts.
 *
 * @import { Edited, Message, Retracted } from "./livechat.js"
 */

/** Changes that are remembered. */
const MOST_TEXTS = 500;
const MOST_GONE = 10_000;

export class Changes {
  /** @type {Map<number, Edited>} by the message's number */
  #texts = new Map();
  /** @type {Map<number, string>} who took them back */
  #gone = new Map();

  /** @param {Edited} edited */
  edit(edited) {
    this.#texts.delete(edited.ref);
    if (!this.#gone.has(edited.ref)) this.#texts.set(edited.ref, edited);
    drop(this.#texts, MOST_TEXTS);
  }

  /** @param {Retracted} retracted */
  retract({ refs, by }) {
    for (const ref of refs) {
      this.#texts.delete(ref);
      this.#gone.set(ref, by);
    }
    drop(this.#gone, MOST_GONE);
  }

  /** The numbers are others'. */
  forget() {
    this.#texts.clear();
    this.#gone.clear();
  }

  /** @param {number} seq */
  isGone(seq) {
    return this.#gone.has(seq);
  }

  /**
   * Name the party that took a message back; nobody, unless that is known.
   *
   * @param {number} seq
   */
  gone(seq) {
    return this.#gone.get(seq);
  }

  /**
   * A message as it reads now; none if it was taken back.
   *
   * @param {Message} message
   * @returns {Message | undefined}
   */
  apply(message) {
    if (this.#gone.has(message.seq)) return undefined;
    const edited = this.#texts.get(message.seq);
    if (!edited || edited.time < (message.edited ?? 0)) return message;
    return { ...message, message: edited.text, edited: edited.time, data: edited.data };
  }
}

/**
 * Drop the oldest.
 *
 * @param {Map<number, unknown>} kept
 * @param {number} most
 */
function drop(kept, most) {
  for (const each of kept.keys()) {
    if (kept.size <= most) return;
    kept.delete(each);
  }
}
