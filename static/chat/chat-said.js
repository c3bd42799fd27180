/**
 * A person's messages, for moderators: found in the history, a few pages at a time.
 *
 * @import { Dialog } from "./chat-dialog.js"
 * @import { Person } from "./chat-acts.js"
 * @import { Measures } from "./chat-moderate.js"
 * @import { Chat, Message } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { isSame } from "./chat-names.js";
import { element } from "./dom.js";

/** Messages in a page, and pages that are looked at each time. */
const PAGE = 100;
const PAGES = 5;

/** Shows it in the dialog. */
export class SaidBy {
  #t;
  #chat;
  #dialog;
  #jump;
  #measures;

  /**
   * @param {Texts} t
   * @param {Chat} chat
   * @param {Dialog} dialog
   * @param {Measures} measures
   * @param {(seq: number) => void} jump
   */
  constructor(t, chat, dialog, measures, jump) {
    this.#t = t;
    this.#chat = chat;
    this.#dialog = dialog;
    this.#measures = measures;
    this.#jump = jump;
  }

  /** @param {Person} person */
  show(person) {
    const list = element("ol", "findings");
    const more = button(this.#t("said.more"), () => this.#look(person, list, more));
    const state = element("p", "hint");
    state.setAttribute("role", "status");
    const acts = element(
      "div", "choices", more,
      button(this.#t("said.remove-all"), () => this.#then(() => this.#measures.removeAll(person))),
      button(this.#t("menu.mute"), () => this.#then(() => this.#measures.mute(person))),
      button(this.#t("menu.ban"), () => this.#then(() => this.#measures.ban(person))),
    );
    const content = element("div", "said-by", state, list, acts);
    this.#dialog.show(this.#t.nodes("said.title", { name: element("bdi", "", person.name) }), content);
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
    state.textContent = this.#t("said.looking");
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
      state.textContent = this.#t(before ? "said.so-far" : "said.all", { count: list.children.length });
    } catch {
      state.textContent = this.#t("said.failed");
    }
    more.disabled = false;
  }

  /** @param {Message} message */
  #finding({ message, seq, time }) {
    const text = element("span", "words", message);
    text.dir = "auto";
    const made = button("", () => this.#then(() => this.#jump(seq)));
    made.append(text, element("small", "", this.#t.moment(time)));
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
