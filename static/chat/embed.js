// Puts the chat into pages, this server's and others':
//
//     <div data-livechat="lobby"></div>
//     <script type="module" src="https://chat.example.org:10443/static/embed.js"></script>
//
// data-name="Ann": the visitor's name is known, and not asked for.  data-token-url="/chat-token", at the
// element or at the script: the site says there which of its users the visitor is.  data-token-fragment:
// the page's address says so, as that of the chat's own page may.  data-credentials: a cookie does.
// data-lang="de": the language; unless said, that of the page around, or the browser's.
// data-launcher: a button opens it.  Elements that come later become a chat too, and one that goes leaves its
// room; so does one whose data-livechat goes.  What its attributes say it does, whenever they change.

import "./chat-element.js";
import { followKeyboard } from "./chat-keyboard.js";
import { ATTRIBUTES, Place } from "./chat-place.js";

/** By which a page knows that it has this, under whatever address. */
const HERE = Symbol.for("livechat.embed");
// A server that renders pages has no document, and may import this all the same.
const { document } = globalThis;
const own = [...(document?.querySelectorAll("script") ?? [])].find(({ src }) => src === import.meta.url);

/** @param {string} name */
const nameOf = (name) => (name === "room" ? "data-livechat" : `data-${name}`);

/** @type {Map<HTMLElement, Place>} */
const places = new Map();

function look() {
  for (const [element, place] of places) {
    if (element.isConnected && element.hasAttribute("data-livechat")) continue;
    places.delete(element);
    place.stop();
  }
  for (const element of document.querySelectorAll("[data-livechat]")) {
    if (!(element instanceof HTMLElement)) continue;
    const place = places.get(element) ?? new Place(element);
    places.set(element, place);
    place.follow((name) => {
      const value = element.getAttribute(nameOf(name));
      return value ?? (name === "token-url" ? own?.dataset.tokenUrl : undefined);
    });
  }
}

const page = /** @type {{ [HERE]?: boolean }} */ (globalThis);
if (document && !page[HERE]) {
  page[HERE] = true;
  if (document.querySelector("[data-livechat][data-page]")) followKeyboard();
  look();
  new MutationObserver(look).observe(document, {
    attributeFilter: ATTRIBUTES.map(nameOf),
    attributes: true,
    childList: true,
    subtree: true,
  });
}
