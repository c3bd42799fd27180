/**
 * Open cases, for those that moderate: messages that wait for a review, and reports.
 *
 * A badge in the head counts them; its dialog has them, with what there is to decide.
 *
 * @import { Dialog } from "./chat-dialog.js"
 * @import { Acts } from "./chat-acts.js"
 * @import { Tape } from "./chat-later.js"
 * @import { Measures } from "./chat-moderate.js"
 * @import { Room } from "./chat-rest.js"
 * @import { Case } from "./livechat.js"
 */

import { LONGEST_REASON } from "./chat-acts.js";
import { element, find } from "./dom.js";

/** Cases that are remembered, and shown at a time. */
const MOST = 2_000;
const SHOWN = 50;

export class Cases {
  #t;
  #chat;
  #dialog;
  #acts;
  #measures;
  #names;
  #jump;
  #badge;
  #list = element("ol", "cases-list");
  /** @type {Map<string, Case>} by their ids, the oldest first */
  #open = new Map();
  #loads = false;

  /**
   * @param {Room} room
   * @param {Tape} heard
   * @param {Dialog} dialog
   * @param {Acts} acts
   * @param {Measures} measures
   * @param {(seq: number) => void} jump
   */
  constructor({ t, frame, chat, names }, heard, dialog, acts, measures, jump) {
    this.#t = t;
    this.#chat = chat;
    this.#dialog = dialog;
    this.#acts = acts;
    this.#measures = measures;
    this.#names = names;
    this.#jump = jump;
    this.#badge = find(frame, ".cases");
    this.#badge.addEventListener("click", () => this.#show());
    heard.addEventListener("case", ({ detail }) => this.#hear(detail));
    heard.addEventListener("state", ({ detail: { state } }) => {
      // The server does not tell of decisions made meanwhile.
      if (state === "open") this.#loads = false;
    });
    heard.addEventListener("rights", () => {
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
      // New cases come as events.
    }
  }

  /** @param {Case} heard */
  #hear(heard) {
    if (!this.#moderates) return;
    this.#keep(heard);
    this.#count();
  }

  /** @param {Case} heard */
  #keep(heard) {
    if (heard.state !== "open") this.#open.delete(heard.case);
    else if (this.#open.size < MOST) this.#open.set(heard.case, heard);
  }

  #count() {
    const { size } = this.#open;
    this.#badge.hidden = !size;
    this.#badge.textContent = this.#t("cases.count", { count: size });
    if (this.#dialog.shows(this.#list)) this.#fill();
  }

  #show() {
    this.#fill();
    this.#dialog.show([this.#t("cases.title")], this.#list);
  }

  #fill() {
    const shown = [...this.#open.values()].slice(0, SHOWN);
    const known = new Map([...this.#list.children].map((each) => [/** @type {HTMLElement} */ (each).dataset.case, each]));
    // A case stays as it is while its reason is typed.
    const rows = shown.map((each) => known.get(each.case) ?? this.#row(each));
    for (const each of this.#list.children) if (!rows.includes(each)) each.remove();
    for (const each of rows) if (!each.isConnected || each.parentElement !== this.#list) this.#list.append(each);
    if (!rows.length) this.#list.append(element("li", "hint", this.#t("cases.none")));
  }

  /** @param {Case} found */
  #row(found) {
    const t = this.#t;
    const { kind, message = "", user, ref, reporter, reason } = found;
    const text = element("p", "words", message);
    text.dir = "auto";
    const name = this.#names.show(user);
    const told = kind === "held" ? t.nodes("cases.held", { name }) : t.nodes("cases.reported", { name, reporter: this.#names.show(reporter) });
    const given = kind !== "held" && reason ? t.nodes("because", { text: "", reason: element("bdi", "", reason) }) : [];
    const head = element("p", "hint", ...told, ...given);
    const why = element("input");
    why.maxLength = LONGEST_REASON;
    why.placeholder = t("cases.reason");
    why.setAttribute("aria-label", t(kind === "held" ? "cases.tell-author" : "cases.tell-reporter"));
    const decide = (/** @type {"approve" | "reject" | "close"} */ verdict, /** @type {string} */ done) =>
      this.#decide(row, found, verdict, why.value, done);
    const buttons = kind === "held"
      ? [choice(t("cases.approve"), () => decide("approve", t("cases.approved"))), choice(t("cases.reject"), () => decide("reject", t("cases.rejected")))]
      : [
          choice(t("cases.remove"), async () => {
            if (await this.#measures.remove(ref ?? 0)) decide("close", t("act.removed"));
          }),
          choice(t("cases.close"), () => decide("close", t("cases.closed"))),
          choice(t("cases.show"), () => (this.#dialog.close(), this.#jump(ref ?? 0))),
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
    const decided = await this.#acts.act({ type: "review", case: found.case, verdict, reason }, done);
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
