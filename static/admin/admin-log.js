// The messages of a room's page: adds those that arrive, changes those that were edited or taken
// back, and lets an operator remove one.

// Messages that a page shows at most, so that a day of them does not fill its memory.
const MOST_MESSAGES = 500;
// Pixels from the end of the messages within which one is reading the newest.
const NEAR = 50;
// Characters of an id that tell people of one name apart, as templates/admin/message.html shows them.
const TAG = 4;

export const list = document.querySelector("[data-messages]");
const blank = document.querySelector("[data-line]");
const log = document.querySelector(".log");

export function localTime(element) {
  const moment = new Date(element.dateTime);
  const today = moment.toDateString() === new Date().toDateString();
  element.textContent = today ? moment.toLocaleTimeString() : moment.toLocaleString();
}

/** Say in a line whose message it is; nothing where nobody said. */
function showAuthor(line, user) {
  const author = line.querySelector(".author");
  author.hidden = !user;
  if (!user) return;
  author.querySelector("bdi").textContent = user.name;
  const tag = author.querySelector(".tag");
  tag.title = user.id;
  // A role says as much; guests may be called alike.
  tag.textContent = user.role ? "" : `·${user.id.slice(0, TAG)}`;
  author.querySelector(".role").textContent = user.role ?? "guest";
}

/** Go on to entry *seq*, and say how many are missing before it; false if the page has it. */
function advance(seq) {
  const newest = Number(list.dataset.newest);
  if (seq <= newest) return false;
  if (list.children.length && seq > newest + 1) {
    const gap = document.createElement("li");
    gap.className = "gap";
    const link = document.createElement("a");
    link.href = `${location.pathname}?after=${newest}`;
    link.textContent = `${(seq - newest - 1).toLocaleString()} messages are not shown`;
    gap.append(link);
    list.append(gap);
  }
  list.dataset.newest = seq;
  return true;
}

export function add({ seq, time, message, user, edited }) {
  if (!advance(seq)) return;
  const line = blank.content.firstElementChild.cloneNode(true);
  line.dataset.seq = seq;
  showAuthor(line, user);
  line.querySelector("p").textContent = message;
  line.querySelector("span").textContent = `#${seq}`;
  line.querySelector("em").hidden = !edited;
  // Only for those that may.
  line.querySelector("summary")?.setAttribute("aria-label", `Remove message #${seq}`);
  line.querySelector("[name=seq]")?.setAttribute("value", seq);
  const element = line.querySelector("time");
  element.dateTime = new Date(time).toISOString();
  localTime(element);
  list.append(line);
  document.querySelector("[data-empty]").hidden = true;
  // Not under the eyes of somebody who reads there, unless it becomes far too much.
  if (list.children.length > (isAtEnd() ? 1 : 10) * MOST_MESSAGES) forgetOldest();
}

const isAtEnd = () => log.scrollTop > -NEAR;

function forgetOldest() {
  while (list.children.length > MOST_MESSAGES) list.firstElementChild.remove();
  const first = list.querySelector("[data-seq]").dataset.seq;
  const link = document.createElement("a");
  link.href = `${location.pathname}?before=${first}`;
  link.textContent = "Earlier messages";
  document.querySelector("[data-older]").replaceChildren(link);
}

const lineOf = (seq) => list.querySelector(`[data-seq="${seq}"]`);

export function edit({ seq, ref, text }) {
  const line = advance(seq) && lineOf(ref);
  if (!line || line.matches(".gone")) return;
  line.querySelector("p").textContent = text;
  line.querySelector("em").hidden = false;
}

export function retract({ seq, refs, by }) {
  if (!advance(seq)) return;
  for (const line of refs.map(lineOf)) {
    if (!line || line.matches(".gone")) continue;
    // The focused button goes away with its line.
    if (line.contains(document.activeElement)) log.focus();
    line.classList.add("gone");
    showAuthor(line, null);
    line.querySelector("p").textContent = blank.dataset[by];
    line.querySelector("em").hidden = true;
    line.querySelector("details")?.remove();
  }
}

/** An entry that was gone before the page could have it. */
export function pass({ seq }) {
  advance(seq);
}

/** Remove a message.  Its line changes when the room is told. */
export async function remove(form) {
  if (form.dataset.busy) return;
  form.dataset.busy = "yes";
  const body = new URLSearchParams(new FormData(form));
  const text = await fetch(form.action, { method: "POST", body })
    .then((answer) => answer.text())
    .catch(() => null);
  delete form.dataset.busy;
  if (text === null) {
    complain("The server cannot be reached. The message may have been removed, or not.");
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  const fresh = page.querySelector("[data-removal]");
  if (fresh) {
    document.querySelector("[data-removal]").replaceChildren(...fresh.children);
  } else if (page.querySelector("[type=password]")) {
    // Nothing was removed.  The browser's own way leads to the sign-in page.
    form.submit();
  } else {
    complain(page.querySelector("[role=alert]")?.textContent ?? "That did not work.");
  }
}

function complain(problem) {
  const error = document.createElement("p");
  error.className = "error";
  error.setAttribute("role", "alert");
  error.textContent = problem;
  document.querySelector("[data-removal]").replaceChildren(error);
}

list?.querySelectorAll("time").forEach(localTime);

document.addEventListener("keydown", (event) => {
  const asking = event.target.closest?.(".remove[open]");
  if (asking && event.key === "Escape") {
    asking.open = false;
    asking.querySelector("summary").focus();
  }
});
