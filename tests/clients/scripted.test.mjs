// static/livechat.js, and what a server may say to it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Script, greet, join_ as join, open, page, until } from "./world.mjs";

const only = { transports: ["websocket"] };

describe("livechat.js, with a server that plays", { concurrency: 16, timeout: 60_000 }, () => {
  it("asks after a silence, and believes the answer", async (t) => {
    const pings = [];
    const script = await Script.run(t, (socket, count) => {
      greet(socket, { heartbeat: 0.2 });
      socket.on("message", (data) => {
        if (JSON.parse(data).type !== "ping") return;
        pings.push(count);
        // From the third one on nobody is there.
        if (pings.length < 3) socket.send('{"type":"pong"}');
      });
    });
    const ann = join(t, script.url);
    await until(ann, () => ann.state === "waiting");
    assert.deepEqual(pings, [0, 0, 0]);
  });

  it("sends again what got no answer in time", async (t) => {
    const nonces = [];
    const script = await Script.run(t, (socket, count) => {
      greet(socket);
      socket.on("message", (data) => {
        const { type, nonce } = JSON.parse(data);
        if (type !== "message") return;
        nonces.push(nonce);
        if (count) socket.send(JSON.stringify({ type: "ack", nonce, seq: 1, time: 1, duplicate: true }));
      });
    });
    const ann = join(t, script.url);
    const sent = ann.send("hi");
    const after = ann.send("after");
    assert.deepEqual(await sent, { seq: 1, time: 1, duplicate: true });
    await after;
    assert.equal(nonces.length, 3);
    assert.equal(nonces[0], nonces[1]);
    assert.notEqual(nonces[1], nonces[2]);
  });

  for (const [code, reason, expected] of [
    [4400, "no such room", { state: "closed", reason: "no such room" }],
    [4401, "", { state: "closed" }],
    [4403, "", { state: "closed" }],
    [4499, "", { state: "closed" }],
    [4100, "expired", { state: "closed" }],
    [1000, "", { state: "waiting", least: 0, most: 1_000 }],
    [1002, "", { state: "waiting", least: 0, most: 1_000 }],
    [1008, "", { state: "waiting", least: 10_000, most: 11_000 }],
    [1012, "", { state: "waiting", least: 0, most: 1_000 }],
    [1013, "retry_ms=3000 away", { state: "waiting", reason: "away", least: 3_000, most: 4_000 }],
    [1013, "retry_ms=99999999999", { state: "waiting", least: 3_600_000, most: 3_601_000 }],
    [4001, "", { state: "waiting", least: 0, most: 1_000 }],
    [4008, "", { state: "waiting", least: 0, most: 1_000 }],
    [4200, "", { state: "waiting", least: 10_000, most: 11_000 }],
    [4201, "retry_ms=20 x", { state: "waiting", reason: "x", least: 20, most: 1_020 }],
    [4300, "", { state: "waiting", least: 0, most: 1_000 }],
  ]) {
    for (const greeted of [true, false]) {
      it(`knows what ${code} "${reason}" means, ${greeted ? "after" : "before"} hello`, async (t) => {
        const script = await Script.run(t, (socket) => {
          if (greeted) greet(socket);
          socket.close(code, reason);
        });
        const ann = join(t, script.url);
        await until(ann, () => ann.all("state").some(({ code }) => code));
        const found = ann.all("state").find(({ code }) => code);
        assert.deepEqual([found.state, found.code], [expected.state, code]);
        if (expected.reason !== undefined) assert.equal(found.reason, expected.reason);
        if (found.state === "waiting") {
          assert.ok(expected.least <= found.retryMs && found.retryMs <= expected.most, found.retryMs);
        }
        // It said something, so there is no reason to try another way.
        assert.equal(ann.transport, "websocket");
      });
    }
  }

  it("comes back exactly when a server that goes wants it to", async (t) => {
    const script = await Script.run(t, (socket, count) => {
      greet(socket);
      if (count === 0) socket.send('{"type":"goaway","retry_ms":1234}', () => socket.terminate());
    });
    const ann = join(t, script.url);
    await until(ann, () => ann.state === "waiting");
    assert.equal(ann.all("state").at(-1).retryMs, 1234);
    const lost = Date.now();
    // A window that is looked at again does not change that.
    page.dispatchEvent(new Event("online"));
    await open(ann);
    assert.ok(Date.now() - lost > 1_200);
  });

  it("waits longer and longer, and never all at the same time", async (t) => {
    const found = [];
    for (let each = 0; each < 20; each++) {
      const ann = join(t, "http://localhost:1", only);
      const waits = [];
      for (let attempt = 0; attempt < 8; attempt++) {
        await until(ann, () => ann.all("state").filter(({ state }) => state === "waiting").length > attempt);
        waits.push(ann.all("state").at(-1).retryMs);
        ann.reconnect();
      }
      ann.close();
      found.push(waits);
    }
    for (let attempt = 0; attempt < 8; attempt++) {
      const waits = found.map((each) => each[attempt]);
      const longest = Math.min(30_000, 1_000 * 2 ** attempt);
      assert.ok(Math.max(...waits) <= longest);
      // Of twenty one is in each half, but for one time in a million.
      assert.ok(Math.max(...waits) > longest / 2 && Math.min(...waits) < longest / 2);
    }
  });

  it("says where it was, and passes over what it knows", async (t) => {
    const say = (socket, seq) =>
      socket.send(JSON.stringify({ type: "message", message: String(seq), seq, time: 1 }));
    const script = await Script.run(t, (socket, count) => {
      greet(socket, { seq: 5 });
      if (count === 0) {
        say(socket, 6);
        say(socket, 7);
        socket.close(1012);
      } else {
        socket.send('{"type":"resumed","complete":true,"from":8,"to":8}');
        for (const seq of [7, 8, 8, 9]) say(socket, seq);
      }
    });
    const ann = join(t, script.url, { name: "Ann & Bob", key: "k".repeat(16), room: "r~" });
    await until(ann, () => ann.texts().length === 4);
    assert.deepEqual(ann.texts(), ["6", "7", "8", "9"]);
    const [first, second] = script.asked.map(({ pathname, searchParams }) => [
      pathname,
      Object.fromEntries(searchParams),
    ]);
    assert.deepEqual(first, ["/ws/chat/r~/", { client: "k".repeat(16), name: "Ann & Bob" }]);
    assert.deepEqual(second[1], { ...first[1], since: "e:7" });
  });

  it("sends again what was refused for a while, and nothing before it", async (t) => {
    const heard = [];
    const script = await Script.run(t, (socket) => {
      greet(socket);
      socket.on("message", (data) => {
        const { type, nonce, message } = JSON.parse(data);
        if (type !== "message") return;
        heard.push(message);
        const refused = { code: "unavailable", detail: "x", ...(heard.length < 3 && { retry_ms: 30 }) };
        if (heard.length < 4) socket.send(JSON.stringify({ type: "error", nonce, error: refused }));
        else socket.send(JSON.stringify({ type: "ack", nonce, seq: 1, time: 1 }));
      });
    });
    const ann = join(t, script.url);
    const [first, second] = [ann.send("first"), ann.send("second")];
    await assert.rejects(first, { code: "unavailable" });
    await second;
    assert.deepEqual(heard, ["first", "first", "first", "second"]);
  });

  it("keeps count of who is there", async (t) => {
    const people = Array.from({ length: 3 }, (_, at) => ({ id: String(at), name: "x" }));
    const asked = [];
    let twice;
    const askedTwice = new Promise((resolve) => (twice = resolve));
    const script = await Script.run(t, (socket) => {
      greet(socket);
      socket.on("message", (data) => {
        asked.push(JSON.parse(data).type);
        if (asked.length === 2) twice();
      });
      for (const frame of [
        { type: "presence", users: 2, connections: 2, members: people.slice(0, 2) },
        { type: "joined", user: people[2] },
        { type: "joined", user: people[2] },
        { type: "left", user: people[0] },
        { type: "left", user: people[0] },
        { type: "what comes later" },
        { type: "presence", users: 101, connections: 101 },
        { type: "presence", users: 100, connections: 100 },
      ]) socket.send(JSON.stringify(frame));
    });
    const ann = join(t, script.url);
    await Promise.all([until(ann, () => ann.presence.users === 100), askedTwice]);
    assert.deepEqual(
      ann.all("presence").map(({ users, members }) => [users, members.map(({ id }) => id).join("")]),
      [[2, "01"], [3, "012"], [3, "012"], [2, "12"], [2, "12"], [101, ""], [100, ""]],
    );
    // When it came, and when the room was no longer large.
    assert.deepEqual(asked, ["presence", "presence"]);
  });
});

describe("livechat.js, when the clock leaps", () => {
  it("does not send again what the server may have forgotten", async (t) => {
    const now = Date.now;
    t.after(() => (Date.now = now));
    const heard = [];
    const script = await Script.run(t, (socket, count) => {
      greet(socket);
      socket.on("message", (data) => {
        const { type, nonce, message } = JSON.parse(data);
        if (type !== "message") return;
        heard.push(message);
        if (count) socket.send(JSON.stringify({ type: "ack", nonce, seq: 1, time: 1 }));
        // It may be stored; and then the network is away for a long time.
        else socket.close(1012);
      });
    });
    const ann = join(t, script.url);
    const [doubtful, never] = [ann.send("doubtful"), ann.send("never sent")];
    await until(ann, () => ann.state === "waiting");
    const leap = now() + 600_000;
    const begun = now();
    Date.now = () => leap + now() - begun;
    await assert.rejects(doubtful, { code: "unknown" });
    await never;
    Date.now = now;
    assert.deepEqual(heard, ["doubtful", "never sent"]);
  });
});
