// How somebody who writes TypeScript uses livechat.js: it must compile, and what is wrong must not.

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
const { messages, more } = await chat.history({ before: 10, limit: 5 });
console.log(messages.length, more satisfies boolean);

// @ts-expect-error: a number is no message
chat.send(1);
// @ts-expect-error: there is no such way
connect("/", { transports: ["telegraph"] });
// @ts-expect-error: it is the server's to say
chat.place = null;
