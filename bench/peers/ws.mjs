// Node.js with ws and https: send for each member.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { parseArgs } from "node:util";
import { WebSocketServer, WebSocket } from "ws";

const { values: given } = parseArgs({
  options: {
    port: { type: "string" },
    certificate: { type: "string" },
    key: { type: "string" },
  },
});

const rooms = new Map();
const server = createServer({
  cert: readFileSync(given.certificate),
  key: readFileSync(given.key),
});

new WebSocketServer({ server }).on("connection", (member, request) => {
  let room = rooms.get(request.url);
  if (!room) rooms.set(request.url, (room = new Set()));
  room.add(member);
  member.on("close", () => room.delete(member));
  member.on("error", () => {});
  member.on("message", (frame) => {
    const message = JSON.stringify({ message: JSON.parse(frame).message });
    for (const other of room) {
      if (other.readyState === WebSocket.OPEN) other.send(message);
    }
  });
});

server.listen(Number(given.port), "127.0.0.1", () => console.log("ready"));
