// The form that asks for a room.  The name stays in the browser, which asks for it once.

import { keepName, keptName } from "./chat-memory.js";
import { find } from "./dom.js";

const name = find(document, "#name", HTMLInputElement);

find(document, "[data-named]").hidden = false;
name.value = keptName();
(name.value ? find(document, "#room") : name).focus();
find(document, "[data-join]").addEventListener("submit", () => keepName(name.value.trim()));
