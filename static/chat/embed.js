// Puts the chat into pages, this server's and others':
//
//     <div data-livechat="lobby"></div>
//     <script type="module" src="https://chat.example.org:10443/static/embed.js"></script>
//
// data-name="Ann": the visitor's name is known, and not asked for.  Elements that come later become
// a chat too, and one that goes leaves its room.

import { mount } from "./chat.js";

/** @type {Map<HTMLElement, Promise<{ close: () => void }>>} */
const mounted = new Map();

/** @param {HTMLElement} place */
function begin(place) {
  const { livechat: room, name, page } = place.dataset;
  const chat = mount(place, { room: room || undefined, name, whole: page !== undefined });
  mounted.set(place, chat);
  chat.catch((error) => {
    place.textContent = "The chat cannot be loaded.";
    console.error("livechat:", error);
  });
}

function look() {
  for (const [place, chat] of mounted) {
    if (place.isConnected) continue;
    mounted.delete(place);
    chat.then(({ close }) => close());
  }
  for (const place of document.querySelectorAll("[data-livechat]")) {
    if (place instanceof HTMLElement && !mounted.has(place)) begin(place);
  }
}

look();
new MutationObserver(look).observe(document, { childList: true, subtree: true });
