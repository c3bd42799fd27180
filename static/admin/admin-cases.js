// The queue of cases by the keyboard: one case is marked, and a key does what its button does.

import { send } from "./admin-acts.js";

// Milliseconds in which keys do nothing after another case was marked by itself: one that others
// have decided must not let a key hit its neighbour.
const SETTLED = 600;

let marked = null;
let settled = 0;
// Cases that are being decided here. That one is gone may be told before the answer comes.
const deciding = new Set();

const cases = () => [...document.querySelectorAll("[data-case]")];

/** Mark a case; *own* tells that the operator has asked for that. */
function mark(line, own) {
  for (const each of cases()) {
    if (each === line) each.setAttribute("aria-current", "true");
    else each.removeAttribute("aria-current");
  }
  if (line && line.dataset.case !== marked && !own) settled = performance.now() + SETTLED;
  marked = line?.dataset.case ?? null;
  if (own) line?.scrollIntoView({ block: "nearest" });
}

const current = () => cases().find(({ dataset }) => dataset.case === marked) ?? null;

/** Show another list, in which each case keeps its line: with what was typed there, and the focus. */
export function showCases(old, fresh, sync) {
  const before = new Map(cases().map((line) => [line.dataset.case, line]));
  const order = cases().map(({ dataset }) => dataset.case);
  const list = old.querySelector("[data-cases]");
  const after = fresh.querySelector("[data-cases]");
  if (list && after) {
    for (const line of after.querySelectorAll("[data-case]")) {
      const same = before.get(line.dataset.case);
      if (!same) continue;
      if (same.hasAttribute("aria-current")) line.setAttribute("aria-current", "true");
      sync(same, line);
      line.replaceWith(same);
    }
    list.replaceChildren(...after.children);
    after.replaceWith(after.cloneNode(false));
    const [foot, next] = [old, fresh].map((each) => each.querySelector(".foot"));
    sync(foot, next);
  } else {
    old.replaceChildren(...fresh.childNodes);
  }
  if (current()) return;
  // The next one behind that which is gone.
  const at = order.indexOf(marked);
  const left = order.slice(at + 1).find((id) => cases().some(({ dataset }) => dataset.case === id));
  mark(cases().find(({ dataset }) => dataset.case === left) ?? cases()[0] ?? null, deciding.has(marked));
}

async function decide(form, button) {
  const line = form.closest("[data-case]");
  const goes = button.value !== "mute";
  const id = line.dataset.case;
  deciding.add(id);
  const done = await send(form, button, "[data-told]");
  deciding.delete(id);
  if (!done || !goes || !line.isConnected) return;
  const all = cases();
  const next = all[all.indexOf(line) + 1] ?? all[all.indexOf(line) - 1] ?? null;
  line.remove();
  mark(next, true);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest?.("input, textarea, select")) return;
  const line = current();
  const key = event.key.toLowerCase();
  if (key === "j" || key === "k") {
    const all = cases();
    mark(all[all.indexOf(line) + (key === "j" ? 1 : -1)] ?? line, true);
    return;
  }
  const button = line?.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!button || performance.now() < settled) return;
  event.preventDefault();
  decide(button.form, button);
}

if (document.querySelector('[data-part="case_list"]')) {
  mark(cases()[0] ?? null, true);
  document.addEventListener("keydown", pressed);
  document.addEventListener("focusin", ({ target }) => {
    const line = target.closest?.("[data-case]");
    if (line) mark(line, true);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-case-form]") || event.target.dataset.plain) return;
    event.preventDefault();
    decide(event.target, event.submitter);
  });
}
