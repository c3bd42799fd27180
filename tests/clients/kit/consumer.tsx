// How somebody who writes TypeScript uses the package: it must compile, and what is wrong must not.

import { type Chat, ChatError, connect } from "livechat-client";
import { connect as connectBeside, mount } from "livechat-client/chat";
import { LivechatRoom } from "livechat-client/element";
import { useChat } from "livechat-client/react";
import "livechat-client/embed";
import { connect as connectByUrl } from "https://chat.example.org/static/livechat.js";

export const chat: Chat = connectByUrl("https://chat.example.org");
export const beside: Chat = connectBeside("https://chat.example.org");
chat.send("hi").catch((error: unknown) => error instanceof ChatError && error.code);

export function Room({ token }: { token: () => Promise<string> }) {
  const { messages, state, user, can, send, older, more } = useChat("https://chat.example.org", { room: "lobby", token });
  if (state === "closed") return <p>Closed</p>;
  return (
    <form onSubmit={() => void send("hi", { replyTo: messages[0]?.seq })}>
      {more && <button onClick={() => void older()}>Older</button>}
      {messages.map(({ seq, message, user: from }) => <p key={seq}>{from?.name}: {message}</p>)}
      <input disabled={!can.has("send")} placeholder={user?.name ?? ""} />
    </form>
  );
}

export async function place(element: HTMLElement) {
  const { close, look } = await mount(element, { url: "https://chat.example.org", room: "lobby", theme: "dark" });
  look({ theme: "light" });
  close();
}
const made: LivechatRoom = document.createElement("livechat-room");
made.token = () => "";

// @ts-expect-error: there is no such state
export const wrong = chat.state === "lost";
// @ts-expect-error: a room has a name
connect("/", { room: 1 });
// @ts-expect-error: it takes an element
void mount("#chat");
// @ts-expect-error: messages are not the component's to change
useChat("/").messages.push();
