// Parts of the library's tests: a real daemon, cables and firewalls before it, and a scripted server.

import { createHmac, webcrypto } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, request } from "node:https";
import { connect as connectTcp, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket, WebSocketServer } from "ws";

// Browsers have these, but not every Node.js.
globalThis.WebSocket ??= WebSocket;
globalThis.crypto ??= webcrypto;
// The certificates are self-signed.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";

/** The window's events, in place of a browser's. */
export const page = new EventTarget();
globalThis.addEventListener = page.addEventListener.bind(page);

// Older versions of Node.js need "type": "module".
const place = mkdtempSync(join(tmpdir(), "livechat-"));
process.once("exit", () => rmSync(place, { recursive: true }));
writeFileSync(join(place, "package.json"), '{"type": "module"}');
const client = new URL("../../static/client/", import.meta.url);
for (const name of readdirSync(client)) copyFileSync(new URL(name, client), join(place, name));
/** The library's file. */
export const library = join(place, "livechat.js");
export const { connect, ChatError } = await import(library);

/** The secret that a site shares with a daemon, which has it in the file `secret`. */
const SECRET = "a secret that the site and the chat share";
const part = (object) => Buffer.from(JSON.stringify(object)).toString("base64url");

/** A token that the site gives to one of its users. */
export function signed(sub, seconds, more = {}) {
  const now = Math.floor(Date.now() / 1_000);
  const text = `${part({ alg: "HS256" })}.${part({ sub, iat: now, exp: now + seconds, ...more })}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

/** A daemon, in a directory of its own. */
export class Daemon {
  static async start(t, ...options) {
    const daemon = new Daemon();
    daemon.directory = mkdtempSync(join(tmpdir(), "livechat-"));
    daemon.options = options;
    writeFileSync(join(daemon.directory, "secret"), SECRET);
    t.after(async () => {
      await daemon.kill();
      rmSync(daemon.directory, { recursive: true });
    });
    await daemon.serve(0);
    return daemon;
  }

  async serve(port = this.port) {
    const options = [`--port=${port}`, ...this.options];
    // A fork saves the imports, which are most of a start's time.
    const running = connectTcp(process.env.DAEMONS, "127.0.0.1");
    running.write(`${JSON.stringify({ directory: this.directory, options })}\n`);
    this.isGone = false;
    this.gone = new Promise((resolve) => running.once("close", resolve));
    this.gone.then(() => (this.isGone = true));
    let log = "";
    await new Promise((resolve, reject) => {
      running.on("data", (data) => {
        log += data;
        if (/is ready/.test(log) && /^pid \d+$/m.test(log)) resolve();
      });
      running.on("error", reject);
      this.gone.then(() => reject(new Error(log)));
    });
    this.pid = Number(/^pid (\d+)$/m.exec(log)[1]);
    this.port = Number(/https:\/\/[^ /]+:(\d+)\//.exec(log)[1]);
    this.url = `https://localhost:${this.port}`;
  }

  async stop(signal = "SIGTERM") {
    if (!this.isGone) process.kill(this.pid, signal);
    await this.gone;
  }

  kill() {
    return this.stop("SIGKILL");
  }

  forget() {
    rmSync(join(this.directory, "state"), { recursive: true });
  }

  /** The messages of a room. */
  async history(room) {
    const answer = await fetch(`${this.url}/chat/history/${room}/`);
    return (await answer.json()).chat_history.map(({ message }) => message);
  }

  /** Send a message without an author. */
  async say(room, message) {
    const url = `${this.url}/chat/send/${room}/`;
    await fetch(url, { method: "POST", body: new URLSearchParams({ message }) });
  }
}

/** A cable that can be cut, or held: a held one passes no bytes, and neither end is told. */
export class Cable {
  static async lay(t, daemon) {
    const cable = new Cable();
    cable.ends = new Set();
    cable.server = createTcpServer((near) => {
      const far = connectTcp(daemon.port, "localhost");
      for (const [from, to] of [[near, far], [far, near]]) {
        cable.ends.add(from);
        from.on("data", (data) => cable.held?.has(from === near ? "up" : "down") || to.write(data));
        from.on("error", () => {});
        from.on("close", () => cable.held || to.destroy());
      }
    });
    t.after(() => {
      cable.cut();
      cable.server.close();
    });
    await new Promise((resolve) => cable.server.listen(0, resolve));
    cable.url = `https://localhost:${cable.server.address().port}`;
    return cable;
  }

  hold(...directions) {
    this.held = new Set(directions);
  }

  cut() {
    this.held = null;
    for (const each of this.ends) each.destroy();
    this.ends.clear();
  }
}

/**
 * A firewall that looks into TLS, and lets no WebSocket through.
 *
 * @param {"refuse" | "swallow"} how an answer of 403 to a WebSocket, or none
 * @param {{ answers?: number }} loses the number of answers to POSTs that are lost
 */
export async function firewall(t, daemon, how, loses = {}) {
  const certificate = (end) => readFileSync(join(daemon.directory, "certs", `livechat.${end}`));
  const server = createServer({ cert: certificate("crt"), key: certificate("key") });
  server.on("request", (asked, answer) => {
    const { method, url, headers } = asked;
    const onward = request({ port: daemon.port, method, path: url, headers }, (got) => {
      if (method === "POST" && loses.answers-- > 0) {
        answer.destroy();
        return;
      }
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
      got.on("close", () => answer.destroy());
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    asked.pipe(onward);
  });
  server.on("upgrade", (asked, socket) => {
    socket.on("error", () => {});
    if (how === "refuse") socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  });
  const sockets = new Set();
  server.on("secureConnection", (socket) => sockets.add(socket));
  t.after(() => {
    server.close();
    for (const each of sockets) each.destroy();
  });
  await new Promise((resolve) => server.listen(0, resolve));
  return `https://localhost:${server.address().port}`;
}

/** A server that plays a test's script, for frames that the daemon does not send on demand. */
export class Script {
  /**
   * @param {(socket: WebSocket, count: number) => void} play serves each WebSocket; without it,
   *   WebSockets are refused
   * @param {(asked: IncomingMessage, answer: ServerResponse) => void} serve answers other requests
   */
  static async run(t, play, serve = (_, answer) => answer.writeHead(404).end()) {
    const script = new Script();
    script.asked = [];
    script.offered = [];
    let count = 0;
    const http = createHttpServer(serve);
    const server = play ? new WebSocketServer({ server: http }) : { on() {}, clients: [], close() {} };
    server.on("connection", (socket, { url, headers }) => {
      script.asked.push(new URL(url, "ws://localhost"));
      script.offered.push(headers["sec-websocket-protocol"]);
      play(socket, count++);
    });
    t.after(() => {
      for (const each of server.clients) each.terminate();
      server.close();
      http.close();
      for (const each of sockets) each.destroy();
    });
    const sockets = new Set();
    http.on("connection", (socket) => sockets.add(socket));
    await new Promise((resolve) => http.listen(0, resolve));
    script.url = `http://localhost:${http.address().port}`;
    return script;
  }
}

/** The daemon's first frame to a client. */
export const hello = (more = {}) =>
  JSON.stringify({
    type: "hello", user: { id: "u", name: "Ann" }, epoch: "e", seq: 0,
    limits: { message_bytes: 100 }, heartbeat: 25, ...more,
  });

export const greet = (socket, more) => socket.send(hello(more));

/** Begin a stream of events, with a hello and further texts. */
export function stream(answer, ...texts) {
  answer.writeHead(200, { "Content-Type": "text/event-stream" });
  answer.write(`data: ${hello()}\n\n`);
  for (const text of texts) answer.write(text);
}

/** A browser's storage, in memory. */
export class FakeStorage {
  constructor() {
    this.map = new Map();
  }

  get length() {
    return this.map.size;
  }

  key(at) {
    return [...this.map.keys()][at] ?? null;
  }

  getItem(name) {
    return this.map.get(name) ?? null;
  }

  setItem(name, value) {
    this.map.set(name, value);
  }

  removeItem(name) {
    this.map.delete(name);
  }
}

/** The events of a chat, but for errors. */
const TOLD = [
  "state", "message", "edited", "retracted", "gap", "presence", "typing", "rights", "outbox", "refused", "settings", "slow",
  "case", "moderated", "renamed",
];

/** Join a room, and keep its events. */
export function join_(t, url, options = {}) {
  const chat = connect(url, { key: Math.random().toString(36).padEnd(20, "x").slice(2, 18), ...options });
  t.after(() => chat.close());
  const heard = [];
  for (const type of [...TOLD, "error"]) {
    chat.addEventListener(type, ({ detail }) => heard.push([type, detail]));
  }
  return Object.assign(chat, {
    heard,
    all: (type) => heard.filter(([each]) => each === type).map(([, detail]) => detail),
    texts: () => chat.all("message").map(({ message }) => message),
  });
}

/** Wait until *condition* holds; it is checked at each event of *chat*. */
export function until(chat, condition) {
  if (condition()) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => condition() && resolve();
    for (const type of TOLD) {
      chat.addEventListener(type, look);
    }
  });
}

export const open = (chat) => until(chat, () => chat.state === "open");
