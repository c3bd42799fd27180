/**
 * Acts on the room as a whole: invite others, leave, keep the title that came with the link.
 *
 * Only those that `manage` the room can give it a title; to all others it stays the words of whoever made the link.
 *
 * @import { Dialog } from "./chat-dialog.js"
 * @import { Room } from "./chat-rest.js"
 * @import { Teller } from "./chat-teller.js"
 */

import { addressOf, visit } from "./chat-visited.js";
import { element, find } from "./dom.js";

export class Invitation {
  #t;
  #frame;
  #chat;
  #url;
  #called;
  #dialog;
  #tell;

  /**
   * @param {Room} room
   * @param {Dialog} dialog
   * @param {Teller} tell
   */
  constructor({ t, frame, chat, heard, url, options: { called, whole = false }, leave }, dialog, tell) {
    this.#t = t;
    this.#frame = frame;
    this.#chat = chat;
    this.#url = url;
    this.#called = called;
    this.#dialog = dialog;
    this.#tell = tell;
    const [invite, away] = [find(frame, ".invite"), find(frame, ".leave")];
    invite.hidden = away.hidden = !whole;
    invite.addEventListener("click", () => this.#copy());
    away.addEventListener("click", () => (leave(), location.assign(url)));
    find(frame, ".unconfirmed button").addEventListener("click", () => this.#keep());
    for (const event of /** @type {const} */ (["settings", "rights"])) {
      heard.addEventListener(event, () => this.#show());
    }
    // A visitor who was not let in was not there.
    if (whole) heard.addEventListener("rights", () => visit(this.#room));
  }

  get #room() {
    return { room: this.#chat.room, title: this.#chat.settings.title, called: this.#called };
  }

  #show() {
    const doubt = find(this.#frame, ".unconfirmed");
    doubt.hidden = !this.#called || Boolean(this.#chat.settings.title);
    const room = element("bdi", "", this.#chat.room);
    find(doubt, "span").replaceChildren(...this.#t.nodes("entrance.unconfirmed", { room }));
    find(doubt, "button").hidden = !this.#chat.can.has("manage");
  }

  async #keep() {
    try {
      await this.#chat.act({ type: "room", set: { title: this.#called } });
    } catch (error) {
      this.#tell([error instanceof Error ? error.message : String(error)]);
    }
  }

  async #copy() {
    const link = String(addressOf(this.#url, this.#room));
    try {
      await navigator.clipboard.writeText(link);
      this.#tell([this.#t("invite.copied")]);
    } catch {
      // The browser does not let the page; the visitor can.
      const field = element("input");
      field.readOnly = true;
      field.value = link;
      field.setAttribute("aria-labelledby", "dialog-title");
      this.#dialog.show([this.#t("invite.link")], field);
      field.select();
    }
  }
}
