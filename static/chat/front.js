// The front page: the name and the last rooms stay in the browser.

import { keepName, keptName } from "./chat-memory.js";
import { addressOf, forgetVisited, visited } from "./chat-visited.js";
import { element, find } from "./dom.js";

const name = find(document, "#name", HTMLInputElement);

name.value = keptName();
// The text of a field is to be typed over.
(name.value ? find(document, "#room", HTMLInputElement) : name).select();
find(document, "[data-join]").addEventListener("submit", () => keepName(name.value.trim()));

const rooms = find(document, "[data-visited]");

function show() {
  const found = visited();
  rooms.hidden = !found.length;
  find(rooms, "ul").replaceChildren(...found.map(item));
}

/** @param {import("./chat-visited.js").Visited} room */
function item(room) {
  const link = element("a", "", element("bdi", "", String(room.title || room.called || room.room)));
  link.href = String(addressOf(new URL("../", import.meta.url), room));
  // The words of a link are nobody's but the link's.
  const name = room.called && !room.title ? [" ", element("bdi", "hint", room.room)] : [];
  return element("li", "", link, ...name);
}

show();
// The page may come back as it was left.
addEventListener("pageshow", show);
find(rooms, "button").addEventListener("click", () => {
  forgetVisited();
  show();
  find(document, "#room").focus();
});
