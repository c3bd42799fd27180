/**
 * A room's parts for those that moderate it: what they do about others, open cases, what somebody said, and what other
 * moderators did.
 *
 * @import { Acts } from "./chat-acts.js"
 * @import { Dialog } from "./chat-dialog.js"
 * @import { Tape } from "./chat-later.js"
 * @import { Room } from "./chat-rest.js"
 */

import { Cases } from "./chat-cases.js";
import { Measures } from "./chat-moderate.js";
import { moderatedLine } from "./chat-moderated.js";
import { SaidBy } from "./chat-said.js";

export class Moderation {
  measures;
  said;

  /**
   * @param {Room} room
   * @param {Tape} heard
   * @param {Dialog} dialog
   * @param {Acts} acts
   * @param {(seq: number) => void} jump
   */
  constructor(room, heard, dialog, acts, jump) {
    const { t, chat, messages } = room;
    this.measures = new Measures(t, chat, dialog, acts);
    this.said = new SaidBy(t, chat, dialog, this.measures, jump);
    new Cases(room, heard, dialog, acts, this.measures, jump);
    heard.addEventListener("moderated", ({ detail }) => {
      const made = moderatedLine(t, detail);
      if (made) messages.show(made);
    });
  }
}
