// static/client/livechat.js, with tokens, and a scripted server.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Script, greet, join_ as join, open, page, stream, until } from "./world.mjs";

const only = { transports: ["websocket"] };
const events = { transports: ["events"] };
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const part = (object) => Buffer.from(JSON.stringify(object)).toString("base64url");
let made = 0;

/** Make a token without a signature, different from all others. */
const jwt = (seconds = 3_600, more = {}) =>
  [part({ alg: "none" }), part({ sub: "42", name: "Änn", exp: Math.floor(Date.now() / 1_000) + seconds, jti: made++, ...more }), ""].join(".");

/** Make a function that gives these tokens, the last one again and again, and counts its calls. */
function source(...tokens) {
  const give = async () => tokens[Math.min(give.calls++, tokens.length - 1)];
  return Object.assign(give, { calls: 0 });
}

const tell = (socket, frame) => socket.send(JSON.stringify(frame));
const offer = (token) => `livechat.v1,livechat.token.${token}`;
const problem = (answer, status, code) =>
  answer.writeHead(status, { "Content-Type": "application/problem+json" }).end(JSON.stringify({ code, detail: `${code}.` }));
const verified = { id: "42", name: "Ann", verified: true };

describe("livechat.js, with tokens", { concurrency: 24, timeout: 110_000 }, () => {
  it("brings a token beside its protocol and in headers, and in no address", async (t) => {
    const asked = [];
    const script = await Script.run(t, (socket) => greet(socket), (request, answer) => {
      asked.push(request);
      if (request.url.startsWith("/chat/events/")) stream(answer);
      else if (request.method === "POST") answer.end('{"seq":1,"time":1}');
      else answer.end('{"chat_history":[]}');
    });
    const token = source(jwt());
    const ann = join(t, script.url, { ...only, token });
    await open(ann);
    await ann.history();
    const bob = join(t, script.url, { ...events, token });
    await bob.send("hi");
    assert.deepEqual(script.offered, [offer(await token())]);
    assert.equal(asked.length, 3);
    for (const { headers, url } of asked) {
      assert.equal(headers.authorization, `Bearer ${await token()}`);
      assert.ok(!url.includes(await token()));
    }
    assert.ok(!String(script.asked[0]).includes(await token()));
  });

  it("brings no token if the page has none", async (t) => {
    const asked = [];
    const script = await Script.run(t, (socket) => greet(socket), (request, answer) => {
      asked.push(request.headers.authorization);
      answer.end('{"chat_history":[]}');
    });
    const ann = join(t, script.url, only);
    await open(ann);
    await ann.history();
    assert.deepEqual([script.offered, asked], [["livechat.v1"], [undefined]]);
  });

  it("asks the page once while a token lasts, and before each connection when it does not", async (t) => {
    const lasting = source(jwt());
    const short = source(jwt(29), jwt(29), jwt(29));
    for (const [token, calls] of [[lasting, 1], [short, 3]]) {
      const script = await Script.run(t, (socket, count) => {
        greet(socket);
        if (count < 2) socket.close(1012);
      });
      const ann = join(t, script.url, { ...only, token });
      await until(ann, () => script.offered.length === 3 && ann.state === "open");
      assert.equal(token.calls, calls);
      assert.equal(new Set(script.offered).size, calls);
    }
  });

  it("believes the server's clock, and not its own", async (t) => {
    const now = Math.floor(Date.now() / 1_000);
    // The client's clock is an hour ahead, or behind.
    for (const [ahead, left, calls] of [[-3_600, 600, 1], [3_600, 10, 2]]) {
      const token = source(jwt(ahead + left), jwt(ahead + left));
      const script = await Script.run(t, (socket, count) => {
        greet(socket, { time: 1_000 * (now + ahead), expires: now + ahead + left });
        if (!count) socket.close(1012);
      });
      const ann = join(t, script.url, { ...only, token });
      await until(ann, () => script.offered.length === 2 && ann.state === "open");
      assert.equal(token.calls, calls);
    }
  });

  it("knows its rights from the first frame on", async (t) => {
    const script = await Script.run(t, (socket) => {
      greet(socket, { can: ["join", "history"], expires: 1_790_000_000 });
      tell(socket, { type: "rights", can: ["join", "send"] });
    });
    const ann = join(t, script.url, only);
    assert.deepEqual([...ann.can], []);
    await until(ann, () => ann.all("rights").length === 2);
    assert.deepEqual(ann.all("rights"), [
      { can: new Set(["join", "history"]), expires: 1_790_000_000_000 },
      { can: new Set(["join", "send"]) },
    ]);
    assert.deepEqual(ann.can, ann.all("rights")[1].can);
    // An older server sends no rights.
    const old = join(t, (await Script.run(t, (socket) => greet(socket))).url, only);
    await open(old);
    assert.deepEqual([...old.can], ["join", "history", "send"]);
  });

  for (const [what, transport] of [["a WebSocket", only], ["events", events]]) {
    it(`gets another token when one is over, by ${what}`, async (t) => {
      const tokens = [jwt(), jwt()];
      const used = [];
      const script = await Script.run(
        t,
        (socket, count) => {
          used.push(script.offered[count]);
          if (count) greet(socket);
          else socket.close(4100, "It is over.");
        },
        ({ headers }, answer) => {
          used.push(headers.authorization.replace("Bearer ", "livechat.v1,livechat.token."));
          if (used.length > 1) stream(answer);
          else problem(answer, 401, "token_expired");
        },
      );
      const ann = join(t, script.url, { ...transport, token: source(...tokens) });
      await open(ann);
      assert.deepEqual(used, tokens.map(offer));
      const [{ state, code, retryMs }] = ann.all("state");
      assert.deepEqual([state, code], ["waiting", 4100]);
      assert.ok(retryMs <= 1_000);
    });
  }

  it("does not bring an expired token again, nor ask in a fast loop", async (t) => {
    const script = await Script.run(t, (socket) => socket.close(4100, "It is over."));
    const token = source(jwt());
    const ann = join(t, script.url, { ...only, token });
    const waits = () => ann.all("state").filter(({ state }) => state === "waiting");
    await until(ann, () => waits().length === 4);
    assert.equal(script.offered.length, 1);
    assert.equal(token.calls, 4);
    assert.ok(waits().every(({ code }) => code === 4100));
    assert.match(waits()[1].reason, /no other token/);
    // The page has another token at last.
    const [before] = script.offered;
    token.calls = 0;
    ann.reconnect();
    await until(ann, () => waits().length === 5);
    assert.deepEqual(script.offered, [before]);
  });

  it("waits longer and longer for a server that calls each token over", async (t) => {
    const script = await Script.run(t, (socket) => {
      greet(socket);
      socket.close(4100);
    });
    const ann = join(t, script.url, { ...only, token: () => jwt() });
    await later(2_500);
    assert.ok(script.offered.length <= 8, script.offered.length);
    assert.equal(new Set(script.offered).size, script.offered.length);
    assert.equal(ann.all("error").length, 0);
  });

  for (const [what, give, reason] of [
    ["throws", () => { throw new Error("signed out"); }, /signed out/],
    ["rejects", async () => { throw "out"; }, /out/],
    ["gives nothing", () => undefined, /no token/],
    ["gives null", async () => null, /no token/],
    ["gives a page", () => "<!doctype html>", /no token/],
    ["gives a line too many", () => `${jwt()}\r\nX: y`, /no token/],
    ["gives two protocols", () => "a, livechat.plain", /no token/],
    ["gives an endless one", () => "x".repeat(4_097), /no token/],
  ]) {
    it(`does without a connection, and tries again, when the page's function ${what}`, async (t) => {
      const script = await Script.run(t, (socket) => greet(socket));
      const good = jwt();
      let calls = 0;
      const ann = join(t, script.url, { ...only, token: () => (calls++ ? good : give()) });
      const sent = ann.send("kept");
      await until(ann, () => ann.state === "waiting");
      const { code, reason: told, retryMs } = ann.all("state").at(-1);
      assert.equal(code, 4100);
      assert.match(told, reason);
      assert.ok(retryMs <= 1_000);
      assert.deepEqual(script.offered, []);
      await open(ann);
      assert.deepEqual(script.offered, [offer(good)]);
      assert.equal(ann.outbox.length, 1);
      ann.close();
      await assert.rejects(sent, { code: "closed" });
    });
  }

  for (const [code, error] of [[4101, "token_revoked"], [4401, "unauthorized"], [4403, "forbidden"]]) {
    it(`stops where it is told ${code}, and says why`, async (t) => {
      const token = source(jwt());
      const script = await Script.run(t, (socket) => socket.close(code, `${error}.`), (_, answer) =>
        problem(answer, code === 4403 ? 403 : 401, error),
      );
      for (const transport of [only, events]) {
        const ann = join(t, script.url, { ...transport, token });
        await until(ann, () => ann.state === "closed");
        assert.deepEqual(ann.all("state").at(-1), { state: "closed", code, reason: `${error}.` });
      }
      await later(1_200);
      assert.equal(token.calls, 2);
    });
  }

  it("stops at an expired token, if the page has no function", async (t) => {
    const script = await Script.run(t, (socket) => socket.close(4100, "Over."));
    const ann = join(t, script.url, only);
    await until(ann, () => ann.state === "closed");
    assert.deepEqual(ann.all("state").at(-1), { state: "closed", code: 4100, reason: "Over." });
  });

  it("asks again with another token for a page of history, and once only", async (t) => {
    const seen = [];
    const script = await Script.run(t, (socket) => greet(socket), ({ headers, url }, answer) => {
      seen.push(headers.authorization);
      if (seen.length === 2 && !url.includes("limit")) answer.end('{"chat_history":[]}');
      else problem(answer, 401, "token_expired");
    });
    const tokens = [jwt(), jwt(), jwt()];
    const ann = join(t, script.url, { ...only, token: source(...tokens) });
    await open(ann);
    assert.deepEqual((await ann.history()).messages, []);
    assert.deepEqual(seen, tokens.slice(0, 2).map((each) => `Bearer ${each}`));
    await assert.rejects(ann.history({ limit: 1 }), { code: "token_expired" });
    assert.equal(seen.length, 4);
    // The page has no other token.
    await assert.rejects(ann.history({ limit: 1 }), { code: "unavailable" });
  });

  it("knows a revoked token by the last event", async (t) => {
    const script = await Script.run(t, null, (_, answer) => {
      stream(answer, 'event: error\ndata: {"type":"error","error":{"code":"token_revoked","detail":"Revoked."}}\n\n');
      answer.end();
    });
    const ann = join(t, script.url, { ...events, token: source(jwt()) });
    await until(ann, () => ann.state === "closed");
    assert.deepEqual(ann.all("state").at(-1), { state: "closed", code: 4101, reason: "Revoked." });
  });

  it("forgets the token when it is closed, and takes none that comes later", async (t) => {
    const script = await Script.run(t, (socket) => greet(socket), ({ headers }, answer) => {
      assert.equal(headers.authorization, undefined);
      answer.end('{"chat_history":[]}');
    });
    let give;
    let calls = 0;
    const token = () => (calls++, new Promise((resolve) => (give = resolve)));
    const early = join(t, script.url, { ...only, token });
    await until(early, () => (early.close(), true));
    give(jwt());
    const ann = join(t, script.url, { ...only, token });
    give(jwt());
    await open(ann);
    ann.close();
    await ann.history();
    assert.deepEqual([calls, script.offered.length], [2, 1]);
  });
});

/** Move the clocks on, as when a lid was closed. */
function leap(t, ms) {
  const [date, monotonic] = [Date.now, performance.now];
  t.after(() => Object.assign(performance, { now: monotonic }) && Object.assign(Date, { now: date }));
  Date.now = () => date() + ms;
  performance.now = () => monotonic.call(performance) + ms;
}

// These run one after the other, as they share the clock.
describe("livechat.js, with tokens that end", { timeout: 60_000 }, () => {
  it("goes on with another token on the same connection", async (t) => {
    const token = source(jwt(50), jwt());
    const heard = [];
    const script = await Script.run(t, (socket) => {
      greet(socket, { user: verified });
      socket.on("message", (data) => {
        const frame = JSON.parse(data);
        if (frame.type !== "auth") return;
        heard.push(frame);
        tell(socket, { type: "rights", can: ["join"], expires: 5_000_000_000 });
      });
      script.warn = () => tell(socket, { type: "rights", can: ["join", "send"], expiring: true });
    });
    const ann = join(t, script.url, { ...only, token });
    await open(ann);
    leap(t, 21_000);
    script.warn();
    await until(ann, () => ann.all("rights").length === 3);
    assert.deepEqual(heard, [{ type: "auth", token: await token() }]);
    assert.deepEqual([...ann.can], ["join"]);
    assert.equal(script.offered.length, 1);
    assert.deepEqual(ann.all("error"), []);
  });

  it("renews tokens of a few seconds at intervals, and not in a loop", async (t) => {
    const ends = () => ({ can: ["join"], expires: Math.floor(Date.now() / 1_000) + 45, expiring: true });
    const auths = [];
    const script = await Script.run(t, (socket) => {
      greet(socket);
      tell(socket, { type: "rights", ...ends() });
      socket.on("message", (data) => {
        if (JSON.parse(data).type !== "auth") return;
        auths.push(data);
        tell(socket, { type: "rights", ...ends() });
      });
    });
    const token = Object.assign(() => (token.calls++, jwt(45)), { calls: 0 });
    const ann = join(t, script.url, { ...only, token });
    await until(ann, () => ann.all("rights").length === 2);
    await later(200);
    assert.deepEqual([auths.length, token.calls], [0, 1]);
    leap(t, 21_000);
    page.dispatchEvent(new Event("online"));
    await until(ann, () => ann.all("rights").length === 3);
    await later(200);
    assert.deepEqual([auths.length, token.calls], [1, 2]);
  });

  it("connects anew as another user, and sends none of the first one's messages in their name", async (t) => {
    const said = [];
    const bob = { id: "43", name: "Bob", verified: true };
    const script = await Script.run(t, (socket, count) => {
      greet(socket, { user: count ? bob : verified });
      if (count) tell(socket, { type: "resumed", complete: true, from: 1, to: 0 });
      socket.on("message", (data) => {
        const { type, nonce, message, token } = JSON.parse(data);
        if (type === "message" && count) {
          said.push(message);
          tell(socket, { type: "ack", nonce, seq: 1, time: 1 });
        }
        if (type === "auth") {
          assert.equal(token, tokens[1]);
          tell(socket, { type: "error", error: { code: "forbidden", detail: "Another user's." } });
        }
      });
      script.warn = () => tell(socket, { type: "rights", can: ["join", "send"], expiring: true });
    });
    const tokens = [jwt(), jwt(3_600, { sub: "43" })];
    const chat = join(t, script.url, { ...only, token: source(...tokens), key: "k".repeat(16) });
    await open(chat);
    const anns = chat.send("I am Ann");
    leap(t, 21_000);
    script.warn();
    await assert.rejects(anns, { code: "another_user" });
    await until(chat, () => chat.state === "open" && chat.user.id === "43");
    assert.deepEqual(script.offered, tokens.map(offer));
    assert.equal((await chat.send("I am Bob")).seq, 1);
    assert.deepEqual(said, ["I am Bob"]);
    assert.deepEqual(chat.all("error"), []);
  });

  it("begins events anew with another token, and misses nothing", async (t) => {
    const seen = [];
    const script = await Script.run(t, null, ({ headers, url }, answer) => {
      seen.push([headers.authorization, new URL(url, "http://x").searchParams.get("since")]);
      if (seen.length > 1) {
        stream(answer, 'data: {"type":"resumed","complete":true,"from":2,"to":1}\n\n');
        return;
      }
      stream(answer, 'data: {"type":"message","message":"1","seq":1,"time":1}\n\n');
      script.warn = () => answer.write('data: {"type":"rights","can":["join"],"expiring":true}\n\n');
    });
    const tokens = [jwt(50), jwt()];
    const ann = join(t, script.url, { ...events, token: source(...tokens) });
    await until(ann, () => ann.texts().length === 1);
    leap(t, 21_000);
    script.warn();
    await until(ann, () => ann.state === "open" && seen.length === 2);
    assert.deepEqual(seen, [[`Bearer ${tokens[0]}`, null], [`Bearer ${tokens[1]}`, "e:1"]]);
  });

  it("keeps trying while the page has no further token, and then tells that it has expired", async (t) => {
    const script = await Script.run(t, (socket, count) => {
      greet(socket);
      if (!count) script.socket = socket;
    });
    let calls = 0;
    const token = () => {
      if (++calls === 2) throw new Error("the site is away");
      return jwt();
    };
    const ann = join(t, script.url, { ...only, token });
    await open(ann);
    leap(t, 21_000);
    tell(script.socket, { type: "rights", can: ["join"], expiring: true });
    await new Promise((resolve) => ann.addEventListener("error", resolve, { once: true }));
    script.socket.close(4100);
    await until(ann, () => script.offered.length === 2 && ann.state === "open");
    assert.deepEqual(ann.all("error"), [{ code: "no_token", detail: "the site is away" }]);
    assert.equal(calls, 3);
  });

  it("renews a token that is about to end when the page wakes up", async (t) => {
    const auths = [];
    const script = await Script.run(t, (socket) => {
      greet(socket);
      socket.on("message", (data) => {
        const { type, token } = JSON.parse(data);
        if (type === "ping") tell(socket, { type: "pong" });
        if (type !== "auth") return;
        auths.push(token);
        tell(socket, { type: "rights", can: ["join"] });
      });
    });
    const tokens = [jwt(50), jwt()];
    const ann = join(t, script.url, { ...only, token: source(...tokens) });
    await open(ann);
    page.dispatchEvent(new Event("online"));
    leap(t, 21_000);
    page.dispatchEvent(new Event("online"));
    await until(ann, () => ann.all("rights").length === 2);
    page.dispatchEvent(new Event("online"));
    await later(100);
    assert.deepEqual(auths, [tokens[1]]);
  });

  it("waits for a function that hangs up to a bound", async (t) => {
    const { setTimeout: real } = globalThis;
    t.after(() => (globalThis.setTimeout = real));
    globalThis.setTimeout = (then, ms) => real(then, ms / 50);
    const script = await Script.run(t, (socket) => greet(socket));
    const good = jwt();
    let calls = 0;
    const ann = join(t, script.url, { ...only, token: () => (calls++ ? good : new Promise(() => {})) });
    await until(ann, () => ann.state === "waiting");
    globalThis.setTimeout = real;
    const { code, reason } = ann.all("state").at(-1);
    assert.deepEqual([code, reason], [4100, "No token came in time."]);
    assert.deepEqual(script.offered, []);
    await open(ann);
    assert.deepEqual(script.offered, [offer(good)]);
  });
});

describe("livechat.js, with cookies", () => {
  it("brings them only if it is told to", async (t) => {
    const { fetch } = globalThis;
    t.after(() => (globalThis.fetch = fetch));
    const seen = [];
    globalThis.fetch = (url, options) => {
      seen.push(options.credentials);
      return fetch(url, options);
    };
    const script = await Script.run(t, (socket) => greet(socket), ({ url }, answer) =>
      url.startsWith("/chat/events/") ? stream(answer) : answer.end('{"chat_history":[]}'),
    );
    for (const [credentials, expected] of [[true, "include"], [false, "omit"], [undefined, "omit"]]) {
      const ann = join(t, script.url, { ...events, credentials });
      await open(ann);
      await ann.history();
      assert.deepEqual(seen.splice(0), [expected, expected]);
    }
  });
});
