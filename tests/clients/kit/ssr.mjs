// Server-side rendering: everything is imported, and a room rendered, without a browser.

import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { connect } from "livechat-client";
import { mount } from "livechat-client/chat";
import { LivechatRoom } from "livechat-client/element";
import "livechat-client/embed";
import { useChat } from "livechat-client/react";

const Room = () => createElement("p", null, useChat("https://chat.example.org", { room: "lobby" }).state);
console.log(renderToString(createElement(Room)), [connect, mount, LivechatRoom].map((each) => typeof each).join());
