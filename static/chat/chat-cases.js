/**
 * Open cases, for those that moderate: messages that wait for a review, and reports.
 *
 * A badge in the head counts them; its dialog has them, with what there is to decide.
 *
 * @import { Dialog } from "./chat-dialog.js"
 * @import { Moderation, Teller } from "./chat-moderate.js"
 * @import { Names } from "./chat-names.js"
 * @import { Case, Chat } from "./livechat.js"
 */

import { LONGEST_REASON } from "./chat-moderate.js";
import { element, find } from "./dom.js";

/** Cases that are remembered, and shown at a time. */
const MOST = 2_000;
const SHOWN = 50;

export class Cases {
  #chat;
  #dialog;
  #moderation;
  #names;
  #jump;
  #tell;
  #badge;
  #list = element("ol", "cases-list");
  /** @type {Map<string, Case>} by their ids, the oldest first */
  #open = new Map();
  #loads = false;

  /**
   * @param {HTMLElement} frame
   * @param {Chat} chat
   * @param {Dialog} dialog
   * @param {Moderation} moderation
   * @param {Names} names
   * @param {(seq: number) => void} jump
   * @param {Teller} tell
   */
  constructor(frame, chat, dialog, moderation, names, jump, tell) {
    this.#chat = chat;
    this.#dialog = dialog;
    this.#moderation = moderation;
    this.#names = names;
    this.#jump = jump;
    this.#tell = tell;
    this.#badge = find(frame, ".cases");
    this.#badge.addEventListener("click", () => this.#show());
    chat.addEventListener("case", ({ detail }) => this.#hear(detail));
    chat.addEventListener("state", ({ detail: { state } }) => {
      // The server does not tell of decisions made meanwhile.
      if (state === "open") this.#loads = false;
    });
    chat.addEventListener("rights", () => {
      if (!this.#moderates) this.#open.clear();
      else if (!this.#loads) this.#load();
      this.#count();
    });
  }

  get #moderates() {
    return this.#chat.can.has("moderate");
  }

  async #load() {
    this.#loads = true;
    try {
      const found = await this.#chat.cases();
      this.#open.clear();
      for (const each of found) this.#keep(each);
      this.#count();
    } catch {
      // Those that come are told of.
    }
  }

  /** @param {Case} heard */
  #hear(heard) {
    if (this.#moderates) {
      this.#keep(heard);
      this.#count();
    } else if (heard.kind === "report" && heard.state !== "open") {
      const why = heard.reason ? [": ", element("bdi", "", heard.reason)] : ["."];
      this.#tell(["Those who moderate have looked at your report", ...why]);
    }
  }

  /** @param {Case} heard */
  #keep(heard) {
    if (heard.state !== "open") this.#open.delete(heard.case);
    else if (this.#open.size < MOST) this.#open.set(heard.case, heard);
  }

  #count() {
    const { size } = this.#open;
    this.#badge.hidden = !size;
    this.#badge.textContent = size === 1 ? "1 case" : `${size.toLocaleString("en")} cases`;
    if (this.#dialog.shows(this.#list)) this.#fill();
  }

  #show() {
    this.#fill();
    this.#dialog.show(["Cases"], this.#list);
  }

  #fill() {
    const shown = [...this.#open.values()].slice(0, SHOWN);
    const known = new Map([...this.#list.children].map((each) => [/** @type {HTMLElement} */ (each).dataset.case, each]));
    // A case stays as it is while its reason is typed.
    const rows = shown.map((each) => known.get(each.case) ?? this.#row(each));
    for (const each of this.#list.children) if (!rows.includes(each)) each.remove();
    for (const each of rows) if (!each.isConnected || each.parentElement !== this.#list) this.#list.append(each);
    if (!rows.length) this.#list.append(element("li", "hint", "Nothing waits."));
  }

  /** @param {Case} found */
  #row(found) {
    const { kind, message = "", user, ref, reporter, reason } = found;
    const text = element("p", "words", message);
    text.dir = "auto";
    const head = element("p", "hint", this.#names.show(user));
    if (kind === "held") head.append(" waits for a review");
    else head.append(" was reported by ", this.#names.show(reporter), ...(reason ? [": ", element("bdi", "", reason)] : []));
    const why = element("input");
    why.maxLength = LONGEST_REASON;
    why.placeholder = "Reason, if any";
    why.setAttribute("aria-label", kind === "held" ? "Reason, which the author is told" : "Reason, which the reporter is told");
    const decide = (/** @type {"approve" | "reject" | "close"} */ verdict, /** @type {string} */ done) =>
      this.#decide(row, found, verdict, why.value, done);
    const buttons = kind === "held"
      ? [choice("Approve", () => decide("approve", "Approved.")), choice("Reject", () => decide("reject", "Rejected."))]
      : [
          choice("Remove the message", async () => {
            if (await this.#moderation.remove(ref ?? 0)) decide("close", "Removed.");
          }),
          choice("Close", () => decide("close", "Closed.")),
          choice("Show", () => (this.#dialog.close(), this.#jump(ref ?? 0))),
        ];
    const row = element("li", "", head, text, why, element("div", "choices", ...buttons));
    row.dataset.case = found.case;
    return row;
  }

  /**
   * @param {HTMLElement} row
   * @param {Case} found
   * @param {"approve" | "reject" | "close"} verdict
   * @param {string} reason
   * @param {string} done
   */
  async #decide(row, found, verdict, reason, done) {
    const buttons = [...row.querySelectorAll("button")];
    for (const each of buttons) each.disabled = true;
    const decided = await this.#moderation.act({ type: "review", case: found.case, verdict, reason }, done);
    for (const each of buttons) each.disabled = false;
    if (!decided && this.#open.has(found.case)) return;
    this.#open.delete(found.case);
    this.#count();
    if (!this.#open.size) this.#dialog.close();
    else this.#list.querySelector("button")?.focus();
  }
}

/**
 * @param {string} text
 * @param {() => void} choose
 */
function choice(text, choose) {
  const made = element("button", "quiet", text);
  made.type = "button";
  made.addEventListener("click", choose);
  return made;
}
