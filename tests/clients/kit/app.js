// An app as somebody makes it with React and Vite: a room that may be shown twice, or not at all.

import { StrictMode, createElement as h, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { mount } from "livechat-client/chat";
import { useChat } from "livechat-client/react";

function Room({ room }) {
  const { messages, state, presence, outbox, send } = useChat(location.origin, {
    room,
    name: "Ann",
    // Another one at each rendering.
    transports: ["websocket"],
  });
  return h("section", { "data-state": state },
    h("ul", null, messages.map(({ seq, message }) => h("li", { key: seq }, message))),
    h("p", { className: "users" }, presence.users),
    h("p", { className: "waiting" }, outbox.length),
    h("button", { onClick: () => send(`hi from ${room}`) }, "Say hi"));
}

/** The whole chat, without a hook. */
function Whole({ room }) {
  const place = useRef(null);
  useEffect(() => {
    const chat = mount(place.current, { url: location.origin, room, name: "Ann" });
    return () => void chat.then(({ close }) => close());
  }, [room]);
  return h("div", { ref: place });
}

function App() {
  const whole = location.search === "?whole";
  const [shown, show] = useState(whole ? 0 : 1);
  const view = whole ? Whole : Room;
  const rooms = Array.from({ length: shown }, (_, key) => h(view, { key, room: location.hash.slice(1) }));
  return h("main", null, rooms, [0, 1, 2].map((each) => h("button", { key: each, onClick: () => show(each) }, `Show ${each}`)));
}

createRoot(document.querySelector("#app")).render(h(StrictMode, null, h(App)));
