/** The elements that the rest of a room has, each with its place among those that are there. */

import { find, shape } from "./dom.js";
import { LONGEST_NAME } from "./chat-shapes.js";
import { fill } from "./texts.js";

/** @import { Texts } from "./texts.js" */

export const DOOR = `
  <div class="join door">
    <p class="error" role="alert"></p>
    <p class="advice"></p>
    <p class="hint" dir="auto" hidden></p>
    <div>
      <button class="again" type="button" data-t="door.again"></button>
      <button class="quiet guest" type="button" data-t="door.guest"></button>
    </div>
  </div>`;

export const MISNAMED = `
  <div class="join">
    <p class="error" role="alert" data-t="entrance.fault"></p>
    <p class="hint"></p>
  </div>`;

export const NAMING = `
  <form class="naming">
    <label class="unseen" for="new-name" data-t="join.name"></label>
    <input id="new-name" required maxlength="${LONGEST_NAME}" autocomplete="nickname" spellcheck="false" aria-describedby="misnamed">
    <button data-t="composer.save"></button>
    <button class="quiet cancel" type="button" data-t="composer.cancel"></button>
    <p class="error" id="misnamed" role="alert" hidden></p>
  </form>`;

/** Behind these. */
const AFTER = {
  "header h1": `<button class="cases" type="button" hidden></button>`,
  ".composer .error": `
    <div class="aim" hidden><span id="aim"></span> <button class="quiet" type="button" data-t="composer.cancel"></button></div>`,
  "header button.count": `
    <button class="quiet rename" type="button" hidden></button>
    <div class="unconfirmed" hidden><span></span> <button class="quiet" type="button" data-t="invite.keep"></button></div>
    <p class="topic" dir="auto" hidden></p>
    <div class="pinned" hidden><small aria-hidden="true" data-t="room.pinned"></small></div>`,
};

/** At the end of these. */
const WITHIN = {
  ".roster": `
    <ul class="people"></ul>
    <p class="hint" hidden></p>
    <div class="ignoring" hidden><h2 data-t="room.ignored"></h2><ul></ul></div>
    <div class="room-acts">
      <button class="quiet invite" type="button" data-t="invite.copy" hidden></button>
      <button class="quiet leave" type="button" data-t="invite.leave" hidden></button>
      <button class="quiet to-day" type="button" data-t="days.jump"></button>
    </div>
    <fieldset class="calls-by">
      <legend data-t="calls.title"></legend>
      <label class="check"><input type="checkbox" name="sound"><span data-t="calls.sound"></span></label>
      <label class="check"><input type="checkbox" name="notification"><span data-t="calls.notification"></span></label>
      <p class="hint" role="alert" hidden></p>
    </fieldset>`,
  ".notes": `<p class="told" hidden><span></span></p>`,
  ".composer": `<p class="hint pace" hidden></p>`,
  ".chat": `<div class="menu" role="menu" data-t-aria-label="room.actions" popover></div>`,
};

/** Beside the room. */
const DIALOG = `
  <dialog aria-labelledby="dialog-title">
    <div class="title"><h2 id="dialog-title"></h2><button class="quiet close" type="button" data-t="dialog.close"></button></div>
    <div class="body"></div>
  </dialog>`;

/**
 * @param {Texts} t
 * @param {HTMLElement} frame
 */
export function furnish(t, frame) {
  for (const [where, html] of Object.entries(AFTER)) find(frame, where).after(fill(t, shape(html)));
  for (const [where, html] of Object.entries(WITHIN)) find(frame, where).append(fill(t, shape(html)));
  frame.append(fill(t, shape(DIALOG)));
}
