/**
 * What somebody said, for those that moderate: found in the history, a few pages at a time.
 *
 * @import { Dialog } from "./chat-dialog.js"
 * @import { Moderation, Person } from "./chat-moderate.js"
 * @import { Chat, Message } from "./livechat.js"
 */

import { isSame } from "./chat-names.js";
import { element } from "./dom.js";

/** Messages in a page, and pages that are looked at each time. */
const PAGE = 100;
const PAGES = 5;

/** Shows it in the dialog. */
export class SaidBy {
  #chat;
  #dialog;
  #jump;
  /** @type {Moderation | undefined} */
  moderation;

  /**
   * @param {Chat} chat
   * @param {Dialog} dialog
   * @param {(seq: number) => void} jump
   */
  constructor(chat, dialog, jump) {
    this.#chat = chat;
    this.#dialog = dialog;
    this.#jump = jump;
  }

  /** @param {Person} person */
  show(person) {
    const list = element("ol", "findings");
    const more = button("Look further back", () => this.#look(person, list, more));
    const state = element("p", "hint");
    state.setAttribute("role", "status");
    const acts = element(
      "div", "choices", more,
      button("Remove all", () => this.#then(() => this.moderation?.removeAll(person))),
      button("Mute for 10 minutes", () => this.#then(() => this.moderation?.mute(person))),
      button("Ban…", () => this.#then(() => this.moderation?.ban(person))),
    );
    const content = element("div", "said-by", state, list, acts);
    this.#dialog.show(["What ", element("bdi", "", person.name), " said"], content);
    this.#look(person, list, more);
  }

  /** @param {() => void} act */
  #then(act) {
    this.#dialog.close();
    act();
  }

  /**
   * @param {Person} person
   * @param {HTMLElement} list
   * @param {HTMLButtonElement} more
   */
  async #look(person, list, more) {
    const state = /** @type {HTMLElement} */ (list.previousElementSibling);
    const user = { id: person.user, name: "", verified: !person.guest };
    more.disabled = true;
    state.textContent = "Looking…";
    /** @type {number | undefined} */
    let before = Number(list.dataset.before) || undefined;
    try {
      for (let page = 0; page < PAGES; page++) {
        const { messages, next } = await this.#chat.history({ before, limit: PAGE });
        const found = messages.filter((each) => isSame(each.user, user)).reverse();
        list.append(...found.map((each) => this.#finding(each)));
        before = next?.before;
        if (!before) break;
      }
      list.dataset.before = String(before ?? "");
      more.hidden = !before;
      const count = list.children.length;
      const part = before ? "of what was looked at so far" : "of all that is kept";
      state.textContent = `${count} ${count === 1 ? "message" : "messages"} ${part}`;
    } catch {
      state.textContent = "The history cannot be read just now.";
    }
    more.disabled = false;
  }

  /** @param {Message} message */
  #finding({ message, seq, time }) {
    const text = element("span", "words", message);
    text.dir = "auto";
    const made = button("", () => this.#then(() => this.#jump(seq)));
    made.append(text, element("small", "", new Date(time).toLocaleString()));
    return element("li", "", made);
  }
}

/**
 * @param {string} text
 * @param {() => void} choose
 */
function button(text, choose) {
  const made = element("button", "quiet", text);
  made.type = "button";
  made.addEventListener("click", choose);
  return made;
}
