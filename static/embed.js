// Puts the chat into pages, this server's and others':
//
//     <div data-livechat="lobby"></div>
//     <script type="module" src="https://chat.example.org:10443/static/embed.js"></script>
//
// data-name="Ann": the visitor's name is known, and not asked for.

import { mount } from "./chat.js";

/** @type {NodeListOf<HTMLElement>} */
const places = document.querySelectorAll("[data-livechat]");

for (const place of places) {
  const { livechat: room, name, page } = place.dataset;
  mount(place, { room: room || undefined, name, whole: page !== undefined });
}
