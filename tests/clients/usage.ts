// Uses of livechat.js in TypeScript, which must compile; the wrong ones are marked, and must not.

import { mount } from "../../static/chat/chat.js";
import type {} from "../../static/chat/embed.js";
import { type Chat, ChatError, type Message, connect } from "../../static/client/livechat.js";

const chat: Chat = connect("https://chat.example.org", { room: "lobby", name: "Ann" });
chat.addEventListener("message", ({ detail }) => {
  const { message, seq, user }: Message = detail;
  console.log(seq.toFixed(), message.trim(), user?.name);
});
chat.addEventListener("gap", ({ detail }) => console.log(detail.missed?.toFixed()));
chat.addEventListener("state", ({ detail }) => detail.state === "waiting" && detail.retryMs?.toFixed(), {
  once: true,
});
chat.addEventListener("presence", ({ detail }) => detail.members.map(({ name }) => name));
try {
  const { seq } = await chat.send("hi");
  console.log(seq.toFixed());
} catch (error) {
  if (error instanceof ChatError) console.log(error.code);
}
const { count } = await chat.retract([1, 2]);
console.log(count?.toFixed());
await chat.edit(3, "hi!", { data: { colour: "red" } });
await chat.send("yes", { replyTo: 3, data: { poll: [1, 2] } });
chat.addEventListener("edited", ({ detail: { ref, text } }) => console.log(ref.toFixed(), text.trim()));
chat.addEventListener("retracted", ({ detail: { refs, by } }) => console.log(refs.includes(1), by === "author"));
chat.addEventListener("outbox", ({ detail }) => {
  for (const each of detail) console.log(each.type === "message" ? each.message : each.nonce);
});
const { messages, more } = await chat.history({ before: 10, limit: 5 });
console.log(messages.length, more satisfies boolean, chat.editable(messages[0]) satisfies boolean);
console.log(messages[0].replyTo?.toFixed(), messages[0].edited?.toFixed());

const known = connect("/", { token: async () => (await fetch("/chat-token")).text(), credentials: true });
known.addEventListener("rights", ({ detail: { can, expires } }) => console.log(can.has("send"), expires?.toFixed()));
if (!known.can.has("history")) console.log(known.user?.verified, known.user?.role?.trim());

const { address, case: opened } = await chat.act({ type: "restrict", user: "42", kind: "ban", address: true });
await chat.act({ type: "room", set: { slow: 30, topic: null } });
await chat.act({ type: "retract", user: "42", guest: true, seconds: 3_600 });
console.log(address satisfies boolean | undefined, opened?.trim(), chat.settings.slow?.toFixed(), chat.now().toFixed());
chat.addEventListener("settings", ({ detail: { title, pinned } }) => console.log(title?.trim(), pinned?.toFixed()));
chat.addEventListener("slow", ({ detail: { retryMs } }) => console.log(retryMs.toFixed()));
chat.addEventListener("case", ({ detail }) => detail.state === "rejected" && console.log(detail.reason?.trim()));
chat.addEventListener("moderated", ({ detail: { action, by } }) => console.log(action.type.trim(), by.name));
console.log((await chat.rename("Amy")).name?.trim(), chat.user?.name.trim());
chat.addEventListener("renamed", ({ detail: { user } }) => console.log(user.id.trim(), user.name.trim()));
if (chat.restriction?.kind === "mute") console.log(chat.restriction.until?.toFixed());

// @ts-expect-error: there is no such act
chat.act({ type: "praise", ref: 1 });
// @ts-expect-error: a number is no message
chat.send(1);
// @ts-expect-error: a waiting entry may be no message
chat.outbox[0].message.trim();
// @ts-expect-error: a string is no number
chat.retract("1");
// @ts-expect-error: a name is a text
chat.rename(7);
// @ts-expect-error: there is no such transport
connect("/", { transports: ["telegraph"] });
// @ts-expect-error: a token comes from a function, which is asked each time
connect("/", { token: "eyJ" });
// @ts-expect-error: there is no such right
chat.can.has("fly");
// @ts-expect-error: the field is read-only
chat.place = null;

// The chat in an element of a page.
const place = document.createElement("livechat-room");
place.token = async () => "eyJ";
const { look } = await mount(place, { heading: "Ask us", launcher: "", without: "header roster" });
look({ theme: "dark" });
document.addEventListener("livechat:message", ({ detail }) => detail.message.length);
place.addEventListener("livechat:unread", ({ detail: { count } }) => count + 1);
// @ts-expect-error: there is no such event
place.addEventListener("livechat:unread", ({ detail: { unread } }) => unread);
