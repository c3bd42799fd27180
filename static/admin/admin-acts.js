// Acts of an operator in a room: the forms are sent without leaving the page, which says what
// became of them.

const log = document.querySelector(".log");

/**
 * Send a form as *button* does, once, however often it is asked for meanwhile, and show what the
 * answer has in *places*. False if nothing may have been done.
 */
export async function send(form, button, ...places) {
  if (form.dataset.busy) return false;
  form.dataset.busy = "yes";
  const data = new FormData(form);
  if (button?.name) data.append(button.name, button.value);
  const text = await fetch(form.action, { method: "POST", body: new URLSearchParams(data) })
    .then((answer) => answer.text())
    .catch(() => null);
  delete form.dataset.busy;
  if (text === null) {
    complain("The server cannot be reached. This may have been done, or not.");
    return false;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  if (page.querySelector("[type=password]")) {
    // Nothing was done.  The browser's own way leads to the sign-in page.
    form.dataset.plain = "yes";
    form.requestSubmit(button);
    return false;
  }
  if (!places.every((place) => page.querySelector(place))) {
    complain(page.querySelector("[role=alert] p, p[role=alert]")?.textContent ?? "That did not work.");
    return false;
  }
  for (const place of places) take(place, page);
  showSwitches(page);
  return !page.querySelector("[data-told] .error, [data-removal] .error, h1 + .error");
}

/** Acts of an operator in a room: the form is sent without leaving the page. */
export async function act(form, button) {
  if (await send(form, button, "[data-told]", "[data-removal]")) closeMenu(form);
}

function take(place, page) {
  const [old, fresh] = [document, page].map((each) => each.querySelector(place));
  const role = fresh.getAttribute("role");
  if (role) old.setAttribute("role", role);
  old.replaceChildren(...fresh.children);
}

/** Show at once what the stream would show soon. */
function showSwitches(page) {
  const fresh = [...page.querySelectorAll(".panic button")];
  document.querySelectorAll(".panic button").forEach((old, at) => {
    if (!fresh[at]) return;
    old.value = fresh[at].value;
    old.setAttribute("aria-pressed", fresh[at].getAttribute("aria-pressed"));
  });
}

function closeMenu(form) {
  const menu = form.closest("details.menu");
  if (!menu) return;
  form.querySelectorAll("input:not([type=hidden])").forEach((field) => {
    field.value = field.defaultValue;
    field.checked = field.defaultChecked;
  });
  const focused = menu.contains(document.activeElement);
  menu.open = false;
  if (focused) (menu.isConnected ? menu.querySelector("summary") : log).focus();
}

function complain(problem) {
  const error = document.createElement("p");
  error.className = "error";
  error.setAttribute("role", "alert");
  error.textContent = problem;
  const told = document.querySelector("[data-told]");
  told.setAttribute("role", "presentation");
  told.replaceChildren(error);
}

// Safari sends 229 for the key that ends a composition, and says that there is none any more.
export const composes = ({ isComposing, keyCode }) => isComposing || keyCode === 229;

document.addEventListener("keydown", (event) => {
  const asking = event.target.closest?.("details.menu[open], details.ban[open]");
  if (asking && event.key === "Escape" && !composes(event)) {
    asking.open = false;
    asking.querySelector("summary").focus();
  }
});
