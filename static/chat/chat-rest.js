/**
 * The rest of a room: all that it has beyond what one needs to begin to read and to write.
 *
 * The module is loaded when that is there, and sees to what was said, clicked and typed meanwhile.
 *
 * @import { Options } from "./chat.js"
 * @import { Composer } from "./chat-composer.js"
 * @import { Ignored } from "./chat-ignored.js"
 * @import { Memory } from "./chat-memory.js"
 * @import { Messages } from "./chat-messages.js"
 * @import { Names } from "./chat-names.js"
 * @import { People } from "./chat-people.js"
 * @import { Chat } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { Acts } from "./chat-acts.js";
import { Calls } from "./chat-calls.js";
import { Choices } from "./chat-choices.js";
import { Days } from "./chat-days.js";
import { Dialog } from "./chat-dialog.js";
import { whyMute } from "./chat-door.js";
import { furnish } from "./chat-furniture.js";
import { Head } from "./chat-head.js";
import { Invitation } from "./chat-invite.js";
import { Tape, later, persist } from "./chat-later.js";
import { Log } from "./chat-log.js";
import { Naming } from "./chat-naming.js";
import { Pace } from "./chat-pace.js";
import { Roster } from "./chat-roster.js";
import { teller } from "./chat-teller.js";
import { find } from "./dom.js";

export { showDoor, showMisnamed } from "./chat-door.js";
export { STYLES } from "./chat-rest-css.js";

/**
 * A room that is shown.
 *
 * @typedef {object} Room
 * @property {Texts} t
 * @property {HTMLElement} frame
 * @property {URL} url
 * @property {Options} options
 * @property {string} called what it is called where it has no title
 * @property {Chat} chat
 * @property {Tape} heard tells what the chat tells, from its beginning
 * @property {Memory} memory
 * @property {Names} names
 * @property {Ignored} ignored
 * @property {People} people
 * @property {Composer} composer
 * @property {Messages} messages
 * @property {() => void} leave
 * @property {AbortSignal} over when the room has been left
 */

export class Rest {
  calls;
  log;
  #days;
  #roster;

  /** @param {Room} room */
  constructor(room) {
    const { t, frame, chat, heard, ignored, messages, over } = room;
    furnish(t, frame);
    const dialog = new Dialog(frame);
    const tell = teller(frame, over);
    const log = (this.log = new Log(room));
    const jump = (/** @type {number} */ seq) => log.jump(seq);
    const calls = (this.calls = new Calls(room));
    calls.jump = jump;
    messages.onLook = (unread) => calls.tell(unread);
    new Head(room);
    new Pace(room, log.aims);
    new Naming(room);
    new Invitation(room, dialog, tell);
    this.#days = new Days(room, dialog, jump, tell);
    const roster = (this.#roster = new Roster(room));
    ignored.onChange = () => {
      messages.scroll.inPlace(() => messages.all.there.forEach((each) => ignored.fold(each)));
      roster.showIgnored();
    };
    const acts = new Acts(t, chat, tell);
    const moderate = moderation(room, dialog, acts, jump);
    const choices = new Choices(room, dialog, tell, acts, moderate);
    log.more = (line) => choices.of(line);
    for (const type of /** @type {const} */ (["rights", "settings"])) heard.addEventListener(type, () => bar(room));
    log.begin();
    heard.play();
  }

  /** @param {HTMLElement} clicked a quote, the line of a day, or how many there are */
  click(clicked) {
    const { quotes } = clicked.dataset;
    if (quotes) this.log.jump(Number(quotes));
    else if (clicked.matches(".count")) this.#roster.turn();
    else void this.#days.ask();
  }
}

/**
 * The parts for those that moderate; they are loaded for nobody else.
 *
 * @param {Room} room
 * @param {Dialog} dialog
 * @param {Acts} acts
 * @param {(seq: number) => void} jump
 */
function moderation(room, dialog, acts, jump) {
  const tape = new Tape(room.heard);
  const moderate = later(async () => {
    const found = await persist(() => import("./chat-moderation.js"), room.over);
    if (!found) return undefined;
    const made = new found.Moderation(room, tape, dialog, acts, jump);
    tape.play();
    return made;
  });
  room.heard.addEventListener("rights", ({ detail: { can } }) => can.has("moderate") && moderate(() => {}));
  return moderate;
}

/**
 * Open the composer, or say why the visitor may not write.
 *
 * @param {Room} room
 */
function bar({ t, frame, chat, composer }) {
  const [barred, reason = ""] = whyMute(t, chat);
  if (composer.allow(barred, reason)) find(frame, "[role=status]").textContent = barred + reason;
  find(frame, ".chat").toggleAttribute("data-barred", Boolean(barred));
}
