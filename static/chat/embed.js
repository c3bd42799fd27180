// Puts the chat into pages, this server's and others':
//
//     <div data-livechat="lobby"></div>
//     <script type="module" src="https://chat.example.org:10443/static/embed.js"></script>
//
// data-name="Ann": the visitor's name is known, and not asked for.  data-token-url="/chat-token", at the
// element or at the script: the site says there which of its users the visitor is.  data-token-fragment:
// the page's address says so, as that of the chat's own page may.  data-credentials: a cookie does.
// data-lang="de": the language; unless said, that of the page around, or the browser's.
// Elements that come later become a chat too, and one that goes leaves its room.

import { mount } from "./chat.js";
import { fetchToken, takeTokens } from "./chat-token.js";
import { textsFor } from "./texts.js";

const server = new URL("../", import.meta.url);
const own = [...document.querySelectorAll("script")].find(({ src }) => src === import.meta.url);
let takes = false;

/** @type {Map<HTMLElement, Promise<{ close: () => void }>>} */
const mounted = new Map();

/** @param {HTMLElement} place */
function begin(place) {
  const { livechat: room, name, lang, page, tokenFragment, credentials } = place.dataset;
  const address = place.dataset.tokenUrl ?? own?.dataset.tokenUrl;
  const addressed = page !== undefined || tokenFragment !== undefined;
  // At once: it is to be in the page's address no longer than it must.
  if (addressed && !takes) takeTokens(server);
  takes ||= addressed;
  const chat = mount(place, {
    room: room || undefined,
    name,
    lang,
    whole: page !== undefined,
    addressed,
    ...(address && { token: () => fetchToken(address) }),
    ...(credentials !== undefined && { credentials: true }),
  });
  mounted.set(place, chat);
  chat.catch(async (error) => {
    console.error("livechat:", error);
    // Where the texts cannot be had either, what the page has put there stays.
    const t = await textsFor(place, lang).catch(() => undefined);
    if (t) place.textContent = t("failed");
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
