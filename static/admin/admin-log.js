// The messages of a room's page: adds those that arrive, and changes those that were edited or taken
// back.  While an operator reads what was said before, or has a message's menu open, new lines wait:
// nothing moves under a finger.

// Messages that a page shows at most, so that a day of them does not fill its memory.
const MOST_MESSAGES = 500;
// Pixels from the end of the messages within which one is reading the newest.
const NEAR = 50;
// Characters of an id that tell people of one name apart, as templates/admin/message.html shows them.
const TAG = 4;

export const list = document.querySelector("[data-messages]");
const blank = document.querySelector("[data-line]");
const log = document.querySelector(".log");
const button = document.querySelector("[data-newest-button]");
// Lines that wait, and how many of them were dropped because there were too many.
const waiting = document.createElement("ol");
let dropped = 0;
// The menu that is open.
let menu = null;
let midnight = 0;

export function localTime(element) {
  const moment = new Date(element.dateTime);
  const today = moment.toDateString() === new Date().toDateString();
  element.textContent = today ? moment.toLocaleTimeString() : moment.toLocaleString();
}

/** Say all times, and again at midnight: times of yesterday have a date. */
function localTimes() {
  clearTimeout(midnight);
  for (const lines of [list, waiting]) lines.querySelectorAll("time").forEach(localTime);
  midnight = setTimeout(localTimes, new Date().setHours(24, 0, 0, 0) - Date.now());
}

const subject = ({ id, verified }) => `${verified ? "u" : "g"}:${id}`;

/** A short form of an id, as the server writes it. */
function tag({ id, verified }) {
  const letters = [...id];
  if (!verified) return letters.slice(0, TAG).join("");
  if (letters.length <= 2 * TAG) return id;
  return `${letters.slice(0, TAG).join("")}…${letters.slice(-TAG).join("")}`;
}

/** Say in a line whose message it is; nothing where nobody said. */
function showAuthor(line, user) {
  const author = line.querySelector(".author");
  author.hidden = !user;
  if (!user) return;
  author.querySelector("bdi").textContent = user.name;
  author.querySelector(".verified").hidden = !user.verified;
  const known = author.querySelector(".tag");
  known.title = user.id;
  // A role says as much; guests may be called alike.
  known.textContent = user.role && !user.verified ? "" : `·${tag(user)}`;
  author.querySelector(".role").textContent = user.role ?? (user.verified ? "user" : "guest");
}

/** Fill in a line's forms for its author; remove them without one, or for an operator. */
function showPerson(line, user) {
  const person = line.querySelector("[data-person]");
  if (!person) return;
  if (!user || user.id.includes("!")) {
    person.remove();
    return;
  }
  person.querySelectorAll("[data-user]").forEach((each) => each.setAttribute("value", subject(user)));
  person.querySelectorAll("[data-name]").forEach((each) => each.setAttribute("value", user.name));
  person.querySelectorAll("[data-guests]").forEach((each) => (each.hidden = Boolean(user.verified)));
  person.querySelector("[data-said]").href = `${location.pathname}?user=${encodeURIComponent(subject(user))}`;
}

/** A line that says how many messages behind *after* are missing. */
function gap(count, after) {
  const made = document.createElement("li");
  made.className = "gap";
  const link = document.createElement("a");
  link.href = `${location.pathname}?after=${after}`;
  link.textContent = `${count.toLocaleString()} messages are not shown`;
  made.append(link);
  return made;
}

/** Go on to entry *seq*, and say how many are missing before it; false if the page has it. */
function advance(seq) {
  const newest = Number(list.dataset.newest);
  if (seq <= newest) return false;
  if ((list.children.length || waiting.children.length) && seq > newest + 1) {
    append(gap(seq - newest - 1, newest));
  }
  list.dataset.newest = seq;
  return true;
}

const isAtEnd = () => log.scrollTop > -NEAR;
const isPaused = () => !isAtEnd() || menu?.isConnected;

/** Put a line behind the others, or let it wait. */
function append(line) {
  if (!isPaused() && !waiting.children.length) {
    list.append(line);
    if (list.children.length > MOST_MESSAGES) forgetOldest();
    return;
  }
  waiting.append(line);
  if (waiting.children.length > MOST_MESSAGES) {
    waiting.firstElementChild.remove();
    dropped++;
  }
  showWaiting();
}

/** Show the lines that have waited, if nobody reads any more. */
function release() {
  if (isPaused()) {
    showWaiting();
    return;
  }
  if (dropped) list.append(gap(dropped, list.querySelector(":scope > [data-seq]:last-of-type")?.dataset.seq ?? 0));
  dropped = 0;
  list.append(...waiting.children);
  while (list.children.length > 10 * MOST_MESSAGES) forgetOldest();
  if (list.children.length > MOST_MESSAGES) forgetOldest();
  showWaiting();
}

function showWaiting() {
  const count = waiting.children.length + dropped;
  button.hidden = isAtEnd() && !count;
  button.querySelector("span").textContent = count ? `(${count.toLocaleString()} new)` : "";
}

export function add({ seq, time, message, user, edited }) {
  if (!advance(seq)) return;
  const line = blank.content.firstElementChild.cloneNode(true);
  line.dataset.seq = seq;
  showAuthor(line, user);
  showPerson(line, user);
  line.querySelector("p").textContent = message;
  line.querySelector("span").textContent = `#${seq}`;
  line.querySelector("em").hidden = !edited;
  // Only for those that may.
  line.querySelector("summary")?.setAttribute("aria-label", `Actions for message #${seq}`);
  line.querySelector("[name=seq]")?.setAttribute("value", seq);
  const element = line.querySelector("time");
  element.dateTime = new Date(time).toISOString();
  localTime(element);
  document.querySelector("[data-empty]").hidden = true;
  append(line);
}

function forgetOldest() {
  while (list.children.length > MOST_MESSAGES) list.firstElementChild.remove();
  const first = list.querySelector("[data-seq]").dataset.seq;
  const link = document.createElement("a");
  link.href = `${location.pathname}?before=${first}`;
  link.textContent = "Earlier messages";
  document.querySelector("[data-older]").replaceChildren(link);
}

const lineOf = (seq) =>
  list.querySelector(`[data-seq="${seq}"]`) ?? waiting.querySelector(`[data-seq="${seq}"]`);

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
    release();
  }
}

/** An entry that was gone before the page could have it. */
export function pass({ seq }) {
  advance(seq);
}

if (list) {
  localTimes();
  // A device that sleeps has no midnight.
  document.addEventListener("visibilitychange", localTimes);
  log.addEventListener("scroll", release, { passive: true });
  list.addEventListener(
    "toggle",
    ({ target }) => {
      menu = list.querySelector("details.menu[open]");
      // The log holds on to its end, so what has opened may have pushed itself out of view.
      if (target.open) target.closest("li").scrollIntoView({ block: "nearest" });
      release();
    },
    true,
  );
  button.addEventListener("click", () => {
    if (menu) menu.open = false;
    menu = null;
    log.scrollTop = 0;
    release();
    log.focus();
  });
}
