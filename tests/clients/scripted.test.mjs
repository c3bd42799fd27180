// static/client/livechat.js, with a scripted server: frames that a real one sends only now and then, or never.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ChatError, FakeStorage, Script, connect, greet, join_ as join, open, page, stream, until } from "./world.mjs";

const only = { transports: ["websocket"] };

describe("livechat.js, with a scripted server", { concurrency: 16, timeout: 110_000 }, () => {
  it("asks after a silence, and believes the answer", async (t) => {
    const pings = [];
    const script = await Script.run(t, (socket, count) => {
      greet(socket, { heartbeat: 0.2 });
      socket.on("message", (data) => {
        if (JSON.parse(data).type !== "ping") return;
        pings.push(count);
        // The server falls silent from the third one on.
        if (pings.length < 3) socket.send('{"type":"pong"}');
      });
    });
    const ann = join(t, script.url);
    await until(ann, () => ann.state === "waiting");
    assert.deepEqual(pings, [0, 0, 0]);
  });

  it("refuses a bad address with the reason", () => {
    for (const url of ["localhost:10443", "chat.example.org:10443", "chat.example.org", "chat.example.org/a", "ftp://a"]) {
      assert.throws(() => connect(url), { name: "TypeError", message: new RegExp(`use "https://${url}"`) });
    }
  });

  it("keeps its name if another one is refused, or the server cannot rename", async (t) => {
    const codes = ["rate_limited", "unknown_type"];
    const script = await Script.run(t, (socket) => {
      greet(socket);
      socket.on("message", (data) => {
        const { type, nonce } = JSON.parse(data);
        if (type !== "rename") return;
        const error = { code: codes.shift(), detail: "No.", retry_ms: 12_000 };
        socket.send(JSON.stringify({ type: "error", error, nonce }));
      });
    });
    const ann = join(t, script.url, { name: "Ann" });
    await open(ann);
    assert.equal(script.asked[0].searchParams.get("name"), "Ann");
    await assert.rejects(ann.rename("Amy"), { code: "rate_limited", retryMs: 12_000 });
    await assert.rejects(ann.rename("Amy"), { code: "unknown_type" });
    assert.equal(ann.user.name, "Ann");
    ann.close();
    await assert.rejects(ann.rename("Amy"), { code: "unavailable" });
  });

  it("takes another name on the next connection, if there is none now", async (t) => {
    const script = await Script.run(t, (socket, count) => (count ? greet(socket) : socket.close(1012)));
    const ann = join(t, script.url, { name: "Ann" });
    await until(ann, () => ann.state === "waiting");
    assert.equal((await ann.rename("Amy")).name, "Amy");
    await open(ann);
    assert.deepEqual(script.asked.map(({ searchParams }) => searchParams.get("name")), ["Ann", "Amy"]);
  });

  it("sends a message again that got no answer in time", async (t) => {
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
      // Each half has at least one of the twenty, but for one run in a million.
      assert.ok(Math.max(...waits) > longest / 2 && Math.min(...waits) < longest / 2);
    }
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
    // The members were asked for at the start, and when the room was no longer large.
    assert.deepEqual(asked, ["presence", "presence"]);
  });

  for (const code of [1000, 1001, 1005, 1011]) {
    it(`tries another way where something else closed with ${code} before hello`, async (t) => {
      const script = await Script.run(t, (socket) => socket.close(code === 1005 ? undefined : code), (_, answer) =>
        stream(answer),
      );
      const ann = join(t, script.url);
      await open(ann);
      assert.equal(ann.transport, "events");
    });
  }

  it("tries WebSockets again after a failure, if one has worked", async (t) => {
    const ways = [];
    const script = await Script.run(
      t,
      (socket, count) => {
        ways.push("websocket");
        if (count === 1) socket.terminate();
        else greet(socket);
        if (count === 0) socket.close(1012);
      },
      (asked, answer) => {
        ways.push("events");
        if (ways.length === 3) stream(answer, "retry: 1\n\n");
        setTimeout(() => answer.destroy(), 50);
      },
    );
    const ann = join(t, script.url);
    await until(ann, () => ways.length === 4 && ann.state === "open");
    assert.deepEqual(ways, ["websocket", "websocket", "events", "websocket"]);
  });

  it("reads events in any pieces, with any line ends", async (t) => {
    const said = ["one", "two\u2028lines\u2029\u0085", "né 😀", "end"];
    const frames = said.map((message, at) => JSON.stringify({ type: "message", message, seq: at + 1, time: 1 }));
    for (const end of ["\n", "\r\n", "\r"]) {
      const text = Buffer.from(frames.map((each) => `event: message${end}id: e:1${end}data: ${each}${end}${end}`).join("") + ":");
      const script = await Script.run(t, null, async (_, answer) => {
        stream(answer);
        for (const byte of text) await new Promise((next) => answer.write(Buffer.of(byte), next));
      });
      const ann = join(t, script.url, { transports: ["events"] });
      await until(ann, () => ann.texts().length === said.length);
      assert.deepEqual(ann.texts(), said);
    }
  });

  for (const [what, status, headers, expected] of [
    ["a page that says it is fine", 200, { "Content-Type": "text/html" }, "unknown"],
    ["a way to another page", 302, { Location: "/elsewhere" }, "unknown"],
    ["a gateway that lost patience", 504, {}, "unknown"],
    ["somebody's 404", 404, { "Content-Type": "application/problem+json" }, "http_404"],
    ["a firewall that does not like it", 403, { "Content-Type": "text/html" }, "http_403"],
  ]) {
    it(`does not take ${what} for an answer`, async (t) => {
      let posts = 0;
      const script = await Script.run(t, null, (asked, answer) => {
        if (asked.method === "GET") stream(answer);
        else if (posts++) answer.writeHead(200).end('{"type":"ack","seq":7,"time":1}');
        else answer.writeHead(status, headers).end("<html>");
      });
      const ann = join(t, script.url, { transports: ["events"] });
      const sent = ann.send("hi");
      if (expected === "unknown") assert.deepEqual(await sent, { seq: 7, time: 1 });
      else await assert.rejects(sent, { code: expected });
      assert.equal(posts, expected === "unknown" ? 2 : 1);
    });
  }

  it("is not sent away for good by a stranger", async (t) => {
    const script = await Script.run(t, null, (_, answer) =>
      answer.writeHead(404, { "Content-Type": "application/problem+json" }).end('{"status":404}'),
    );
    const ann = join(t, script.url);
    await until(ann, () => ann.state === "waiting");
    assert.deepEqual(ann.outbox, []);
  });

  it("gets the same code for a refusal on every transport", async (t) => {
    const script = await Script.run(t, null, (_, answer) =>
      answer.writeHead(400, { "Content-Type": "application/problem+json" }).end('{"code":"bad_query","detail":"No."}'),
    );
    const ann = join(t, script.url, { transports: ["events"] });
    await assert.rejects(ann.send("hi"), { code: "closed", message: "No." });
    assert.deepEqual(ann.all("state").at(-1), { state: "closed", code: 4400, reason: "No." });
  });

  it("can be closed, and sent by, within any of its events", async (t) => {
    const script = await Script.run(t, (socket) => greet(socket));
    for (const state of ["connecting", "open", "waiting"]) {
      const ann = join(t, state === "open" ? script.url : "http://localhost:1");
      ann.addEventListener("state", ({ detail }) => detail.state === state && ann.close());
      if (state === "connecting") ann.reconnect();
      await until(ann, () => (ann.reconnect(), ann.state === "closed"));
      await new Promise((later) => setTimeout(later, 50));
      assert.equal(ann.all("state").at(-1).state, "closed");
    }
    const again = join(t, script.url);
    again.addEventListener("outbox", () => void again.send("second"), { once: true });
    again.send("first");
    assert.deepEqual(again.outbox.map(({ message }) => message), ["first", "second"]);
  });

  it("bounds its retries and pings, for any times that a server sends", async (t) => {
    for (const retry of ["soon", "-100000", "1e99", ""]) {
      const script = await Script.run(t, null, (_, answer) => {
        stream(answer, `retry: ${retry}\n\n`);
        answer.end();
      });
      const ann = join(t, script.url, { transports: ["events"] });
      await until(ann, () => ann.state === "waiting");
      const { retryMs } = ann.all("state").at(-1);
      assert.ok(retryMs >= 0 && retryMs <= 3_600_000, `${retry}: ${retryMs}`);
    }
    for (const heartbeat of [3e6, 0, -1, "x", null]) {
      let asked = 0;
      const script = await Script.run(t, (socket) => {
        greet(socket, { heartbeat });
        socket.on("message", () => {
          asked++;
          socket.send('{"type":"presence","users":5,"connections":5}');
        });
      });
      const ann = join(t, script.url);
      await open(ann);
      await until(ann, () => asked);
      await new Promise((later) => setTimeout(later, 100));
      assert.equal(asked, 1, `${heartbeat}`);
      ann.close();
    }
  });

  it("leaves no rejection unhandled", async (t) => {
    const unhandled = [];
    const hears = (reason) => unhandled.push(reason);
    process.on("unhandledRejection", hears);
    t.after(() => process.off("unhandledRejection", hears));
    const ann = join(t, "http://localhost:1");
    ann.send("x");
    ann.close();
    ann.send("y");
    await new Promise((later) => setTimeout(later, 50));
    assert.deepEqual(unhandled, []);
  });
});

describe("livechat.js, and messages that change", { concurrency: 16, timeout: 110_000 }, () => {
  const at = (seq, frame) => JSON.stringify({ ...frame, seq, time: 1 });
  const said = (seq, message, more) => at(seq, { type: "message", message, ...more });
  const event = (seq, kind, more) => at(seq, { type: "event", event: kind, ...more });

  for (const transport of ["websocket", "events"]) {
    it(`advances over what it does not know, by ${transport}`, async (t) => {
      const entries = [
        said(1, "one", { user: { id: "u", name: "Ann" }, data: { a: [1] } }),
        said(2, "two", { reply_to: 1, edited: 5 }),
        event(3, "edited", { ref: 1, text: "uno", data: { a: 2 } }),
        event(4, "pinned", { ref: 1 }),
        event(5, "gone"),
        event(6, "message", { message: "none" }),
        event(7, "state", { state: "closed" }),
        event(8, "retracted", { refs: [1, 5], by: "author" }),
        said(9, "last"),
      ];
      const script = await Script.run(
        t,
        (socket) => (greet(socket), entries.forEach((each) => socket.send(each))),
        (_, answer) => stream(answer, ...entries.map((each) => `data: ${each}\n\n`)),
      );
      const ann = join(t, script.url, { transports: [transport] });
      await until(ann, () => ann.texts().includes("last"));
      assert.deepEqual(ann.all("message"), [
        { message: "one", seq: 1, time: 1, user: { id: "u", name: "Ann" }, data: { a: [1] } },
        { message: "two", seq: 2, time: 1, replyTo: 1, edited: 5 },
        { message: "last", seq: 9, time: 1 },
      ]);
      assert.deepEqual(ann.all("edited"), [{ seq: 3, time: 1, ref: 1, text: "uno", data: { a: 2 } }]);
      assert.deepEqual(ann.all("retracted"), [{ seq: 8, time: 1, refs: [1, 5], by: "author" }]);
      assert.deepEqual(ann.place, { epoch: "e", seq: 9 });
      assert.equal(ann.all("state").at(-1).state, "open");
    });
  }

  it("edits and takes back under one nonce until it has an answer, in order", async (t) => {
    const heard = [];
    const script = await Script.run(t, (socket, count) => {
      greet(socket);
      if (count) socket.send('{"type":"resumed","complete":true,"from":1,"to":0}');
      socket.on("message", (data) => {
        const frame = JSON.parse(data);
        if (!frame.nonce) return;
        heard.push(frame);
        if (!count) socket.close(1012);
        else socket.send(JSON.stringify({ type: "ack", nonce: frame.nonce, seq: heard.length, time: 1, count: frame.refs?.length }));
      });
    });
    const ann = join(t, script.url);
    await open(ann);
    const data = { a: 1 };
    const done = [
      ann.edit(7, "hi\ud800", { data }), ann.retract(8), ann.send("yes", { replyTo: 7, data }),
      ann.retract([1, 2]), ann.edit(9, "x"),
    ];
    data.a = 2;
    assert.deepEqual(ann.outbox.map(({ nonce, ...each }) => each), [
      { type: "edit", ref: 7, text: "hi\ufffd", data: { a: 1 } },
      { type: "retract", refs: [8] },
      { type: "message", message: "yes", replyTo: 7, data: { a: 1 } },
      { type: "retract", refs: [1, 2] },
      { type: "edit", ref: 9, text: "x" },
    ]);
    assert.deepEqual(await Promise.all(done), [
      { seq: 2, time: 1 }, { seq: 3, time: 1, count: 1 }, { seq: 4, time: 1 }, { seq: 5, time: 1, count: 2 },
      { seq: 6, time: 1 },
    ]);
    assert.equal(heard[0].nonce, heard[1].nonce);
    assert.equal(new Set(heard.map(({ nonce }) => nonce)).size, 5);
    assert.deepEqual(heard.slice(1).map(({ nonce, ...each }) => each), [
      { type: "edit", ref: 7, message: "hi\ufffd", data: { a: 1 } },
      { type: "retract", refs: [8] },
      { type: "message", message: "yes", reply_to: 7, data: { a: 1 } },
      { type: "retract", refs: [1, 2] },
      { type: "edit", ref: 9, message: "x" },
    ]);
  });

  it("rejects a refused edit, and one that cannot be sent, with the reason", async (t) => {
    const script = await Script.run(t, (socket) => {
      greet(socket);
      socket.on("message", (data) => {
        const { nonce, ref } = JSON.parse(data);
        const code = ["not_found", "forbidden", "too_late", "too_many_edits"][ref];
        if (nonce) socket.send(JSON.stringify({ type: "error", nonce, error: { code, detail: "No." } }));
      });
    });
    const ann = join(t, script.url);
    await open(ann);
    for (const [ref, code] of ["not_found", "forbidden", "too_late", "too_many_edits"].entries()) {
      await assert.rejects(ann.edit(ref, "x"), { code, message: "No." });
    }
    await assert.rejects(ann.edit(1, "x".repeat(101)), { code: "message_too_long" });
    const round = {};
    round.round = round;
    await assert.rejects(ann.send("x", { data: round }), TypeError);
    await assert.rejects(ann.edit(1, "x", { data: { n: 1n } }), TypeError);
    assert.deepEqual(ann.outbox, []);
    assert.deepEqual(ann.all("refused"), []);
  });

  it("applies no edit to another message of a room that began anew", async (t) => {
    const heard = [];
    const script = await Script.run(t, (socket, count) => {
      greet(socket, count ? { epoch: "f" } : {});
      const answer = (data) => {
        const { type, nonce, ...rest } = JSON.parse(data);
        if (!nonce) return;
        if (!count) return socket.close(1012);
        heard.push({ type, ...rest });
        socket.send(JSON.stringify({ type: "ack", nonce, seq: heard.length, time: 1 }));
      };
      socket.on("message", answer);
      if (count) setTimeout(() => socket.send('{"type":"resumed","complete":false,"reason":"epoch","epoch":"f","to":0}'), 50);
    });
    const ann = join(t, script.url);
    await open(ann);
    const lost = [ann.edit(1, "x"), ann.retract(2)].map((each) => assert.rejects(each, { code: "not_found" }));
    const sent = ann.send("answer", { replyTo: 3 });
    await Promise.all([...lost, sent]);
    assert.deepEqual(heard, [{ type: "message", message: "answer" }]);
  });

  it("knows by the server's clock if a message may be edited", async (t) => {
    const now = Date.now() + 3_600_000;
    const limits = { message_bytes: 100, edit: 900 };
    const editable = async (more, message) => {
      const ann = join(t, (await Script.run(t, (socket) => greet(socket, more))).url);
      const mine = { user: { id: "u", name: "Ann" }, time: now, ...message };
      const before = ann.editable(mine);
      await open(ann);
      return [before, ann.editable(mine)];
    };
    assert.deepEqual(await editable({ limits, time: now }, {}), [false, true]);
    assert.deepEqual(await editable({ limits, time: now }, { time: now - 890_000 }), [false, true]);
    assert.deepEqual(await editable({ limits, time: now }, { time: now - 901_000 }), [false, false]);
    assert.deepEqual(await editable({ limits, time: now }, { user: { id: "v", name: "Ann" } }), [false, false]);
    assert.deepEqual(await editable({ limits, time: now }, { user: undefined }), [false, false]);
    assert.deepEqual(await editable({ limits: { ...limits, edit: 0 }, time: now }, {}), [false, false]);
    assert.deepEqual(await editable({ time: now }, {}), [false, false]);
  });

  it("has the place of the next page of history, behind an empty one too", async (t) => {
    const script = await Script.run(t, (socket) => greet(socket), (asked, answer) => {
      const link = '</chat/history/lobby/?before=40&limit=5>; rel="prev", </chat/history/lobby/?after=44&limit=5>; rel="next"';
      const found = asked.url.includes("limit=5") ? [] : [{ message: "a", seq: 1, time: 1, reply_to: 9, edited: 2 }];
      answer.writeHead(200, { "Livechat-Epoch": "e", ...(found.length ? {} : { Link: link }) });
      answer.end(JSON.stringify({ chat_history: found }));
    });
    const ann = join(t, script.url);
    const [older, newer, all] = await Promise.all([
      ann.history({ before: 45, limit: 5 }), ann.history({ after: 39, limit: 5 }), ann.history(),
    ]);
    assert.deepEqual(older, { messages: [], epoch: "e", more: true, next: { before: 40 } });
    assert.deepEqual(newer, { messages: [], epoch: "e", more: true, next: { after: 44 } });
    assert.deepEqual(all, { messages: [{ message: "a", seq: 1, time: 1, replyTo: 9, edited: 2 }], epoch: "e", more: false });
  });
});

describe("livechat.js, with the browser's storage", () => {
  /** A server that stores messages, or does not answer. */
  const taking = (t, said, acks = true) =>
    Script.run(t, (socket) => {
      greet(socket);
      socket.on("message", (data) => {
        const { type, nonce, message } = JSON.parse(data);
        if (type !== "message") return;
        said.push([nonce, message]);
        if (acks) socket.send(JSON.stringify({ type: "ack", nonce, seq: said.length, time: 1 }));
      });
    });

  /** Reload the page: nothing of the old one goes on. */
  function keep(t) {
    globalThis.sessionStorage = new FakeStorage();
    globalThis.localStorage = new FakeStorage();
    t.after(() => {
      delete globalThis.sessionStorage;
      delete globalThis.localStorage;
    });
    return globalThis.sessionStorage;
  }

  const known = { key: "k".repeat(16) };

  it("keeps chats apart: of another room, person or server, or in the same page", async (t) => {
    const storage = keep(t);
    const [silent, others] = [[], []];
    const first = await taking(t, silent, false);
    const second = await taking(t, others);
    const ann = join(t, first.url, known);
    ann.send("mine");
    while (!silent.length) await new Promise((later) => setTimeout(later, 5));
    for (const each of [
      join(t, first.url, known), join(t, second.url, known), join(t, `${first.url}/path/`, known),
      join(t, first.url, { key: "other".repeat(4) }), join(t, first.url, { ...known, room: "r" }),
    ]) {
      await open(each);
      assert.deepEqual(each.outbox, []);
      each.close();
    }
    assert.equal(storage.length, 1);
    assert.deepEqual([silent.length, others], [1, []]);
  });

  it("sends the messages of before a reload, in order, and tells of those that it gives up", async (t) => {
    const storage = keep(t);
    const said = [];
    const script = await taking(t, said);
    const prefix = `livechat:outbox:${JSON.stringify([`${script.url}/`, "lobby", known.key])}:`;
    const now = Date.now();
    const entry = (order, tried = 0) => JSON.stringify({ message: `at ${order - now}`, order, tried });
    storage.setItem(`${prefix}b`, entry(now - 1));
    storage.setItem(`${prefix}a`, entry(now));
    storage.setItem(`${prefix}old`, entry(now - 3_600_000, now - 3_600_000));
    storage.setItem(`${prefix}bad`, "{");
    storage.setItem("somebody else's", "x");
    const ann = join(t, script.url, known);
    await ann.send("new");
    assert.deepEqual(said.map(([nonce]) => nonce).slice(0, 2), ["b", "a"]);
    assert.deepEqual(said.map(([, message]) => message), ["at -1", "at 0", "new"]);
    const [{ message, error }] = ann.all("refused");
    assert.deepEqual([message, error.code, error instanceof ChatError], ["at -3600000", "unknown", true]);
    assert.deepEqual([...storage.map.keys()], [`${prefix}bad`, "somebody else's"]);
  });

  it("edits and takes back after a reload, and tells of the acts that it gives up", async (t) => {
    const storage = keep(t);
    const ann = join(t, (await Script.run(t, (socket) => greet(socket))).url, known);
    await open(ann);
    ann.edit(1, "x");
    ann.retract([2, 3]);
    const kept = new FakeStorage();
    for (const [name, value] of storage.map) kept.setItem(name, value);
    ann.close();
    const said = [];
    const script = await Script.run(t, (socket) => {
      greet(socket);
      socket.on("message", (data) => {
        const { nonce, ...frame } = JSON.parse(data);
        if (!nonce) return;
        said.push(frame);
        const error = { code: "too_late", detail: "No." };
        const answer = frame.ref ? { type: "error", error } : { type: "ack", seq: 1, time: 1 };
        socket.send(JSON.stringify({ nonce, ...answer }));
      });
    });
    for (const [name, value] of kept.map) {
      const [prefix, nonce] = [name.slice(0, name.indexOf("[")), name.slice(name.lastIndexOf("]") + 2)];
      storage.setItem(`${prefix}${JSON.stringify([`${script.url}/`, "lobby", known.key])}:${nonce}`, value);
    }
    const again = join(t, script.url, known);
    await until(again, () => said.length === 2 && !again.outbox.length);
    assert.deepEqual(said, [{ type: "edit", ref: 1, message: "x" }, { type: "retract", refs: [2, 3] }]);
    const [{ nonce, error, ...refused }] = again.all("refused");
    assert.deepEqual([refused, error.code], [{ type: "edit", ref: 1, text: "x" }, "too_late"]);
    assert.equal(storage.length, 0);
  });

  it("rejects waiting messages when it ends, and another chat does not send them", async (t) => {
    keep(t);
    const said = [];
    const script = await taking(t, said);
    const ann = join(t, "http://localhost:1", known);
    const sent = ann.send("never");
    ann.addEventListener("state", ({ detail }) => {
      if (detail.state === "closed") join(t, "http://localhost:1", known).send("again");
    });
    ann.close();
    await assert.rejects(sent, { code: "closed" });
    const next = join(t, script.url, known);
    await open(next);
    assert.deepEqual(said, []);
  });

  it("leaves waiting messages to the next chat, if it is told to", async (t) => {
    const storage = keep(t);
    const said = [];
    const script = await taking(t, said);
    const ann = join(t, "http://localhost:1", known);
    ann.send("kept");
    ann.close({ keep: true });
    assert.deepEqual(ann.outbox, []);
    const again = join(t, "http://localhost:1", known);
    assert.deepEqual(again.outbox.map(({ message }) => message), ["kept"]);
    again.close();
    assert.equal(storage.length, 0);
    await open(join(t, script.url, known));
    assert.deepEqual(said, []);
  });

  it("works in a browser without storage", async (t) => {
    const broken = new Proxy({}, { get: () => () => { throw new Error("NS_ERROR_FILE_CORRUPTED"); } });
    for (const storage of [broken, undefined, null]) {
      keep(t);
      globalThis.sessionStorage = globalThis.localStorage = storage;
      const said = [];
      const script = await taking(t, said);
      const chat = connect(script.url);
      t.after(() => chat.close());
      assert.equal((await chat.send("hi")).seq, 1);
      chat.close();
    }
  });
});

describe("livechat.js, when the clock leaps", () => {
  it("does not repeat a message whose nonce the server may have forgotten", async (t) => {
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
        // The message may be stored; then the network is away for a long time.
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

// This runs alone, as all chats of a page get its events.
describe("livechat.js, when the network changes", () => {
  it("does not come back before the time that a server has given", async (t) => {
    const script = await Script.run(t, (socket, count) => {
      greet(socket);
      if (count === 0) socket.send('{"type":"goaway","retry_ms":1234}', () => socket.terminate());
    });
    const ann = join(t, script.url);
    let lost = 0;
    ann.addEventListener("state", ({ detail }) => {
      if (detail.state === "waiting") lost = Date.now();
    });
    await until(ann, () => ann.state === "waiting");
    assert.equal(ann.all("state").at(-1).retryMs, 1234);
    // The event "online" does not shorten the wait.
    page.dispatchEvent(new Event("online"));
    await open(ann);
    assert.ok(Date.now() - lost > 1_200);
  });
});
