// static/client/livechat.js in a moderated room, with a scripted server.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeStorage, Script, connect, greet, join_ as join, open, stream, until } from "./world.mjs";

const say = (socket, frame) => socket.send(JSON.stringify(frame));

/** A server that answers each frame that has a nonce by the result of *answer*. */
const answering = (t, answer, more) =>
  Script.run(t, (socket, count) => {
    greet(socket, more);
    socket.on("message", (data) => {
      const frame = JSON.parse(data);
      if (!frame.nonce) return;
      const { nonce } = frame;
      const answered = answer(frame, socket, count);
      if (answered) say(socket, { nonce, ...answered });
    });
  });

const ack = (seq, more) => ({ type: "ack", seq, time: 1, ...more });
const error = (code, more) => ({ type: "error", error: { code, detail: `It is ${code}.`, ...more } });

describe("livechat.js in a moderated room", { concurrency: 16, timeout: 60_000 }, () => {
  it("has the settings and the restriction by the time of their events", async (t) => {
    const settings = { title: "<b>\u202e", slow: 5, pinned: 3, what: ["comes", "later"] };
    const restriction = { kind: "mute", until: 100, reason: "\u202ex" };
    const script = await Script.run(t, (socket) => {
      greet(socket, { settings, restriction, can: ["join"] });
      say(socket, { type: "room", settings: { closed: true } });
      say(socket, { type: "rights", can: ["join", "send"] });
    });
    const ann = join(t, script.url);
    assert.deepEqual([ann.settings, ann.restriction], [{}, null]);
    ann.addEventListener("settings", ({ detail }) => assert.equal(ann.settings, detail));
    await until(ann, () => ann.all("rights").length === 2);
    assert.deepEqual(ann.all("settings"), [settings, { closed: true }]);
    const [muted, free] = ann.all("rights");
    assert.deepEqual(muted.restriction, { ...restriction, until: 100_000 });
    assert.equal("restriction" in free, false);
    assert.equal(ann.restriction, null);
    const told = ann.heard.map(([type]) => type).filter((type) => ["settings", "rights"].includes(type));
    assert.deepEqual(told, ["settings", "rights", "settings", "rights"]);
  });

  it("goes by the server's clock, and by the room's time to edit", async (t) => {
    const time = Date.now() - 3_600_000;
    const limits = { message_bytes: 100, edit: 900 };
    const ann = join(t, (await answering(t, () => {}, { time, limits, settings: { edit: 0 } })).url);
    await open(ann);
    assert.ok(Math.abs(ann.now() - time) < 5_000);
    assert.equal(ann.editable({ user: ann.user, time }), false);
  });

  it("waits in slow mode, in order, and says so", async (t) => {
    const heard = [];
    const script = await answering(t, ({ message }) => {
      heard.push(message);
      const again = heard.filter((each) => each === message).length > 1;
      return again || message === "0" ? ack(heard.length) : error("slow_mode", { retry_ms: 20 });
    });
    const ann = join(t, script.url);
    const texts = Array.from({ length: 20 }, (_, at) => String(at));
    await Promise.all(texts.map((each) => ann.send(each)));
    assert.deepEqual(heard, ["0", ...texts.slice(1).flatMap((each) => [each, each])]);
    assert.deepEqual(ann.all("slow").map(({ retryMs }) => retryMs), Array(19).fill(20));
    assert.deepEqual(ann.outbox, []);
  });

  it("lets others pass a message that waits for a review, until it is approved", async (t) => {
    let wire;
    const script = await answering(t, ({ message }, socket) => {
      wire = socket;
      return message === "held" ? error("held", { case: "c1" }) : ack(1);
    });
    const ann = join(t, script.url);
    const held = ann.send("held");
    await ann.send("after");
    const [{ nonce, ...waits }] = ann.outbox;
    assert.deepEqual(waits, { type: "message", message: "held", case: "c1" });
    for (const more of [{ state: "open" }, { case: "c2", state: "approved", seq: 9 }, { state: "approved" }]) {
      say(wire, { type: "case", case: "c1", kind: "held", nonce, ...more });
    }
    say(wire, { type: "case", case: "c1", kind: "held", state: "approved", nonce, seq: 2 });
    const { seq, case: known, time } = await held;
    assert.deepEqual([seq, known, Math.abs(time - Date.now()) < 5_000], [2, "c1", true]);
    assert.deepEqual(ann.outbox, []);
    assert.equal(ann.all("case").length, 4);
  });

  for (const state of ["rejected", "closed"]) {
    it(`says that a message was ${state}, and why`, async (t) => {
      const script = await answering(t, (_, socket) => {
        setTimeout(() => say(socket, { type: "case", case: "c1", kind: "held", state, reason: "<b>" }), 20);
        return error("held", { case: "c1" });
      });
      const ann = join(t, script.url);
      await assert.rejects(ann.send("x"), {
        code: "rejected", reason: "<b>", case: "c1", message: "A moderator has refused it: <b>",
      });
      assert.deepEqual(ann.outbox, []);
    });
  }

  it("gives up a message that waits for a review", async (t) => {
    const ann = join(t, (await answering(t, () => error("held", { case: "c1" }))).url);
    const held = ann.send("x");
    await until(ann, () => ann.outbox[0]?.case);
    ann.discard(ann.outbox[0].nonce);
    await assert.rejects(held, { code: "discarded" });
    assert.deepEqual(ann.outbox, []);
  });

  it("acts at once, and tells all of the answer", async (t) => {
    const heard = [];
    const script = await answering(t, ({ nonce, ...frame }) => {
      heard.push(frame);
      if (frame.type === "restrict") return { type: "ack", time: 1, address: false };
      if (frame.type === "report") return { type: "ack", time: 1, case: "c1" };
      if (frame.type === "message") return undefined;
      return error("forbidden", { retry_ms: 5_000, reason: "no", case: "c2" });
    });
    const ann = join(t, script.url);
    await open(ann);
    // Messages that wait for their answers do not hold up acts.
    ann.send("x");
    const restrict = { type: "restrict", user: "7", guest: true, kind: "mute", seconds: 600, address: true };
    assert.deepEqual(await ann.act(restrict), { time: 1, address: false });
    assert.deepEqual(await ann.act({ type: "report", ref: 3, reason: "\u202e" }), { time: 1, case: "c1" });
    const refused = { code: "forbidden", retryMs: 5_000, reason: "no", case: "c2", message: "It is forbidden." };
    await assert.rejects(ann.act({ type: "room", set: { topic: null } }), refused);
    assert.deepEqual(heard.slice(1), [
      restrict, { type: "report", ref: 3, reason: "\u202e" }, { type: "room", set: { topic: null } },
    ]);
    assert.equal(ann.outbox.length, 1);
    assert.ok(ann.all("outbox").length === 1);
  });

  it("rejects an act whose answer was lost as unknown, and does not repeat it", async (t) => {
    const heard = [];
    const script = await answering(t, ({ type }, socket, count) => {
      heard.push(type);
      if (!count) socket.close(1012);
      else return ack(1);
    });
    const ann = join(t, script.url);
    await assert.rejects(ann.act({ type: "clear" }), { code: "unavailable" });
    await open(ann);
    await assert.rejects(ann.act({ type: "clear" }), { code: "unknown" });
    await open(ann);
    await ann.send("x");
    assert.deepEqual(heard, ["clear", "message"]);
    ann.close();
    await assert.rejects(ann.act({ type: "clear" }), { code: "unavailable" });
  });

  it("passes on cases and acts of moderators", async (t) => {
    const frames = [
      { type: "case", case: "c1", kind: "held", state: "open", message: "<b>", reply_to: 3, time: 1 },
      { type: "moderated", action: { type: "what comes later" }, by: { kind: "operator", name: "o" }, time: 1 },
    ];
    const script = await Script.run(t, (socket) => {
      greet(socket);
      for (const each of frames) say(socket, each);
    });
    const ann = join(t, script.url);
    await until(ann, () => ann.all("moderated").length);
    assert.deepEqual(ann.all("case"), [
      { case: "c1", kind: "held", state: "open", message: "<b>", replyTo: 3, time: 1 },
    ]);
    assert.deepEqual(ann.all("moderated"), [{ action: frames[1].action, by: frames[1].by, time: 1 }]);
  });

  const events = { transports: ["events"] };
  for (const [known, status, code] of [["banned", 403, 4403], ["room_closed", 404, 4404]]) {
    it(`does not come back after ${known}, by events`, async (t) => {
      const detail = "Not any more.";
      const refusing = await Script.run(t, null, (_, answer) => {
        answer.writeHead(status, { "Content-Type": "application/problem+json", "Retry-After": "5" });
        answer.end(JSON.stringify({ code: known, detail }));
      });
      const ending = await Script.run(t, null, (_, answer) => {
        const last = { type: "error", error: { code: known, detail, retry_ms: 5_000 } };
        stream(answer, `data: ${JSON.stringify(last)}\n\n`);
        answer.end();
      });
      for (const { url } of [refusing, ending]) {
        const ann = join(t, url, events);
        await until(ann, () => ann.state === "closed");
        assert.deepEqual(ann.all("state").at(-1), { state: "closed", code, reason: detail });
      }
    });
  }

  it("acts, and waits for a review, by requests", async (t) => {
    const posted = [];
    const script = await Script.run(t, null, (asked, answer) => {
      if (asked.url.startsWith("/chat/cases/lobby/")) {
        const [cases, next] = asked.url.endsWith("?after=c1")
          ? [[{ case: "c2", kind: "report" }], null]
          : [[{ case: "c1", kind: "held", reply_to: 3 }], "c1"];
        return answer.end(JSON.stringify({ cases, next }));
      }
      if (asked.method !== "POST") return stream(answer);
      asked.on("data", (data) => {
        const { nonce, ...action } = JSON.parse(data);
        posted.push(action);
        const [status, type, told] = {
          clear: [200, "application/json", { type: "ack", time: 1, count: 7 }],
          report: [422, "application/problem+json", { code: "rejected", detail: "No.", reason: "\u202e" }],
          message: [202, "application/json", { message: "Message held.", case: "c1" }],
        }[action.type];
        answer.writeHead(status, { "Content-Type": type }).end(JSON.stringify(told));
      });
    });
    const ann = join(t, script.url, events);
    await open(ann);
    const done = await ann.act({ type: "clear" });
    assert.equal(done.count, 7);
    assert.deepEqual(await ann.cases(), [
      { case: "c1", kind: "held", state: "open", replyTo: 3 }, { case: "c2", kind: "report", state: "open" },
    ]);
    await assert.rejects(ann.act({ type: "report", ref: 1 }), { code: "rejected", reason: "\u202e" });
    ann.send("x");
    await until(ann, () => ann.outbox[0]?.case === "c1");
    assert.deepEqual(posted, [{ type: "clear" }, { type: "report", ref: 1 }, { type: "message", message: "x" }]);
  });
});

describe("livechat.js, with a held message over a reload", () => {
  it("keeps it, does not send it again, and hears the decision", async (t) => {
    const sessionStorage = Object.getOwnPropertyDescriptor(globalThis, "sessionStorage");
    Object.defineProperty(globalThis, "sessionStorage", { value: new FakeStorage(), configurable: true });
    t.after(() => sessionStorage && Object.defineProperty(globalThis, "sessionStorage", sessionStorage));
    const heard = [];
    let wire;
    const script = await answering(t, ({ message }, socket) => {
      heard.push(message);
      wire = socket;
      return message === "held" ? error("held", { case: "c1" }) : ack(1);
    });
    const key = "k".repeat(16);
    const before = connect(script.url, { key });
    t.after(() => before.close());
    before.send("held");
    await until(before, () => before.outbox[0]?.case);
    before.close({ keep: true });
    const ann = join(t, script.url, { key });
    await ann.send("after");
    assert.deepEqual(heard, ["held", "after"]);
    assert.equal(ann.outbox[0].case, "c1");
    say(wire, { type: "case", case: "c1", kind: "held", state: "rejected", reason: "no" });
    await until(ann, () => ann.all("refused").length);
    const [{ error: problem, message }] = ann.all("refused");
    assert.deepEqual([message, problem.code, problem.reason], ["held", "rejected", "no"]);
    assert.deepEqual(ann.outbox, []);
  });
});
