// Keeps the admin page's parts up to date.  Without it every page works, and a reload shows
// what is new.
//
// The server renders: a stream sends a part's HTML when it has changed, and a page that was
// asked for with fetch() brings the same parts.  Only messages come as data, because they come
// in masses; their text is set as text.

import { act, composes } from "./admin-acts.js";
import { showCases } from "./admin-cases.js";
import { add, edit, list, localTime, pass, retract } from "./admin-log.js";

// Milliseconds after which a lost stream is told, so that one that ends in good order is not.
const RETRY = 3000;
// Milliseconds without a key for which the filter waits.
const TYPING = 200;
const state = document.querySelector(".live");

let stream = null;
let retry = 0;
// The list of rooms that is to be shown when nobody points at the old one any more.
let held = null;
let swapping = null;
// The query of the view that is shown.
let shown = "";
let typing = 0;

const part = (name, page = document) => page.querySelector(`[data-part="${name}"]`);

// Seen once is enough: a reload would say again what was done long ago.
if (/[?&](done|failed)=/.test(location.search)) {
  const url = new URL(location.href);
  for (const name of ["done", "failed", "mark"]) url.searchParams.delete(name);
  history.replaceState(null, "", url);
}
shown = location.search;

/** Make *old* look like *fresh*, and keep every element that can stay: what has focus keeps it. */
function sync(old, fresh) {
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
  } else if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
  } else {
    for (const { name } of [...(old.attributes ?? [])]) {
      if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes ?? []) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const before = [...old.childNodes];
    const after = [...fresh.childNodes];
    after.forEach((node, at) => (at < before.length ? sync(before[at], node) : old.append(node)));
    before.slice(after.length).forEach((node) => node.remove());
  }
}

function show(name, html) {
  const old = part(name);
  const fresh = old.cloneNode(false);
  // As the page has it: else each element would take another's place, and the focus be lost.
  fresh.innerHTML = `\n${html}`;
  if (name === "rooms" && isPointedAt()) {
    held = html;
    showRows(old, fresh);
  } else if (name === "case_list") {
    showCases(old, fresh, sync);
  } else {
    sync(old, fresh);
  }
}

// Rows must not change places under a pointer or a keyboard's focus: it would be another
// room that opens.  Their figures go on.

// A finger leaves a hover behind where it was last, and points at nothing any more.
const hovers = matchMedia("(hover: hover)");

const isPointedAt = () =>
  document.querySelector(".rooms tbody:has(:focus-visible)") ||
  (hovers.matches && document.querySelector(".rooms tbody:hover"));

function showRows(old, fresh) {
  for (const row of old.querySelectorAll("tbody tr")) {
    const link = fresh.querySelector(`#${CSS.escape(row.querySelector("a").id)}`);
    if (link) sync(row, link.closest("tr"));
  }
}

function release() {
  if (held !== null && !isPointedAt()) {
    const html = held;
    held = null;
    show("rooms", html);
  }
}

/** The page at an address; null where there is none, or another one. */
async function load(url, options) {
  const answer = await fetch(url, options);
  if (answer.redirected || !answer.ok) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/** Show another view of the list of rooms; *remember* puts its address into the history. */
async function swap(url, remember = () => {}) {
  swapping?.abort();
  swapping = new AbortController();
  let page;
  try {
    page = await load(url, { signal: swapping.signal });
  } catch (error) {
    if (error.name !== "AbortError") say("The server cannot be reached", false);
    return;
  }
  if (!page) {
    location.assign(url);
    return;
  }
  remember(url);
  shown = location.search;
  held = null;
  sync(part("rooms"), part("rooms", page));
  const filter = document.querySelector("[data-filter]");
  const box = filter.querySelector("[name=q]");
  const fresh = page.querySelector("[data-filter]");
  if (document.activeElement !== box) box.value = fresh.querySelector("[name=q]").value;
  filter.querySelectorAll("[type=hidden]").forEach((field) => field.remove());
  filter.prepend(...fresh.querySelectorAll("[type=hidden]"));
  state.dataset.live = page.querySelector("[data-live]").dataset.live;
  open();
}

function say(text, good) {
  if (state.textContent !== text) state.textContent = text;
  state.classList.toggle("on", good);
}

function open() {
  close();
  const url = new URL(state.dataset.live, location);
  if (list) url.searchParams.set("after", list.dataset.newest);
  stream = new EventSource(url);
  stream.onopen = () => {
    clearTimeout(retry);
    retry = 0;
    say("Live", true);
  };
  stream.onerror = lost;
  for (const { dataset } of document.querySelectorAll("[data-part]")) {
    stream.addEventListener(dataset.part, (event) => show(dataset.part, event.data));
  }
  for (const [kind, take] of Object.entries({ message: add, edited: edit, retracted: retract, gone: pass })) {
    stream.addEventListener(kind, (event) => take(JSON.parse(event.data)));
  }
  stream.addEventListener("reset", () => location.reload());
}

function close() {
  stream?.close();
  stream = null;
  clearTimeout(retry);
  retry = 0;
}

// Streams end now and then, and the browser opens them again.  Where it gives up, because it was
// refused, it may be that the session has ended.
function lost() {
  if (retry) return;
  retry = setTimeout(async () => {
    retry = 0;
    say("Reconnecting …", false);
    if (stream.readyState !== EventSource.CLOSED) {
      lost();
      return;
    }
    const answer = await fetch(location.href).catch(() => null);
    if (!answer?.redirected) open();
    else if (document.querySelector("[data-send] textarea")?.value) {
      // The sign-in page would not know what was typed; sending takes it along.
      say("Signed out: sending asks for the password", false);
    } else location.reload();
  }, RETRY);
}

/** Put the messages before those that are shown above them. */
async function showEarlier(link) {
  const place = link.parentElement;
  place.textContent = "Loading …";
  const page = await load(link.href).catch(() => null);
  if (!page) {
    location.assign(link.href);
    return;
  }
  const lines = [...page.querySelectorAll("[data-messages] > li")];
  lines.forEach((line) => localTime(line.querySelector("time")));
  list.prepend(...lines);
  place.replaceWith(page.querySelector("[data-older]"));
  document.querySelector(".log").focus();
}

/** Send a message, once, however often it is asked for meanwhile. */
async function send(form) {
  if (form.dataset.busy) return;
  form.dataset.busy = "yes";
  const text = form.querySelector("textarea");
  text.readOnly = true;
  const problem = await post(form);
  delete form.dataset.busy;
  text.readOnly = false;
  if (problem) complain(form, problem);
}

/** Send a form; return the problem, unless the server's answer has it in a form of its own. */
async function post(form) {
  let answer;
  let body;
  try {
    answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
    });
    body = await answer.text();
  } catch {
    return "The server cannot be reached. The message may have been sent, or not.";
  }
  const page = new DOMParser().parseFromString(body, "text/html");
  const fresh = part("send", page);
  if (fresh) {
    part("send").replaceWith(fresh);
    explainKeys();
    fresh.querySelector("textarea").focus();
  } else if (page.querySelector("[type=password]")) {
    // Nothing was sent.  The browser's own way leads to the sign-in page, and takes the text along.
    form.submit();
  } else {
    try {
      return JSON.parse(body).detail;
    } catch {
      return `The server answered ${answer.status}.`;
    }
  }
  return "";
}

function complain(form, problem) {
  form.querySelectorAll(".notice, .error").forEach((old) => old.remove());
  const error = document.createElement("p");
  error.className = "error";
  error.setAttribute("role", "alert");
  error.textContent = problem;
  form.prepend(error);
}

function explainKeys() {
  document.querySelectorAll("[data-keys]").forEach((hint) => (hint.hidden = false));
}

// Each page has some of these parts.

if (state?.dataset.live) {
  // A browser opens few connections to a host: none for pages that nobody sees.
  if (!document.hidden) open();
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
}

explainKeys();

document.addEventListener("mouseout", release);
document.addEventListener("focusout", () => setTimeout(release));

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  if (link.matches("[data-swap]")) {
    event.preventDefault();
    swap(link.href, (url) => history.pushState(null, "", url));
  } else if (link.matches("[data-older] a") && state.dataset.live) {
    event.preventDefault();
    showEarlier(link);
  }
});

window.addEventListener("popstate", () => {
  if (part("rooms") && location.search !== shown) swap(location.href);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-send]")) {
    event.preventDefault();
    send(form);
  } else if (form.matches("[data-act]") && list && state.dataset.live && !form.dataset.plain) {
    event.preventDefault();
    act(form, event.submitter);
  } else if (form.matches("[data-filter]")) {
    event.preventDefault();
    filter(form);
  }
});

document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("[data-send]");
  if (form && event.key === "Enter" && !event.shiftKey && !composes(event)) {
    event.preventDefault();
    form.requestSubmit();
  }
});

document.addEventListener("input", (event) => {
  const form = event.target.closest("[data-filter]");
  if (form) {
    clearTimeout(typing);
    typing = setTimeout(() => filter(form), TYPING);
  }
});

function filter(form) {
  clearTimeout(typing);
  // As the list is sorted now, which the form of a page that was loaded before may not know.
  const asked = new URL(location.href).searchParams;
  asked.set("q", form.querySelector("[name=q]").value.trim());
  asked.delete("page");
  if (!asked.get("q")) asked.delete("q");
  const url = `${form.action.split("?")[0]}${asked.size ? `?${asked}` : ""}`;
  swap(url, () => history.replaceState(null, "", url));
}
