// static/client/livechat.js, against a real daemon.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cable, ChatError, Daemon, firewall, join_ as join, open, page, signed, until } from "./world.mjs";

const numbers = (count) => Array.from({ length: count }, (_, at) => String(at));

describe("livechat.js", { concurrency: 6, timeout: 110_000 }, () => {
  for (const transport of ["websocket", "events"]) {
    const options = { transports: [transport] };

    it(`chats by ${transport}`, async (t) => {
      const daemon = await Daemon.start(t);
      const ann = join(t, daemon.url, { ...options, name: "Ann" });
      await open(ann);
      const bob = join(t, daemon.url.replace("https:", "wss:"), { ...options, name: "Bob" });
      await Promise.all([open(bob), until(ann, () => ann.presence.users === 2)]);
      assert.equal(ann.transport, transport);
      assert.deepEqual(ann.user.name, "Ann");
      const { seq, time } = await ann.send("hi \ud800!");
      assert.equal(seq, 1);
      await Promise.all([ann, bob].map((each) => until(each, () => each.texts().length === 1)));
      const [message] = bob.all("message");
      assert.deepEqual(message, { message: "hi \ufffd!", seq, time, user: ann.user });
      assert.deepEqual(ann.all("message"), [message]);
      assert.deepEqual(bob.presence.members.map(({ name }) => name).sort(), ["Ann", "Bob"]);
      bob.close();
      await until(ann, () => ann.presence.users === 1);
      assert.deepEqual(ann.presence.members, [ann.user]);
    });

    it(`sends in order, as fast as it may, by ${transport}`, async (t) => {
      const daemon = await Daemon.start(t, "--rate=10");
      const ann = join(t, daemon.url, options);
      const acks = await Promise.all(numbers(30).map((text) => ann.send(text)));
      assert.deepEqual(acks.map(({ seq }) => seq), acks.map((_, at) => at + 1));
      await until(ann, () => ann.texts().length === 30);
      assert.deepEqual(ann.texts(), numbers(30));
      assert.deepEqual(ann.outbox, []);
    });

    it(`goes on after the daemon was killed, by ${transport}`, async (t) => {
      const daemon = await Daemon.start(t);
      const [ann, bob] = [join(t, daemon.url, options), join(t, daemon.url, options)];
      await Promise.all([open(ann), open(bob)]);
      const sent = numbers(20).map((text) => ann.send(text));
      await sent[5];
      await daemon.kill();
      const late = [ann.send("late"), bob.send("late too")];
      await until(ann, () => ann.state === "waiting");
      assert.notEqual(ann.outbox.length, 0);
      await daemon.serve();
      await Promise.all([...sent, ...late]);
      await Promise.all([ann, bob].map((each) => until(each, () => each.texts().length === 22)));
      const said = await daemon.history("lobby");
      assert.deepEqual(said.filter((text) => text !== "late too"), [...numbers(20), "late"]);
      for (const each of [ann, bob]) {
        assert.deepEqual(each.texts(), said);
        assert.deepEqual(each.all("gap"), []);
      }
    });

    it(`is told why it may not come, by ${transport}`, async (t) => {
      const daemon = await Daemon.start(t);
      for (const refused of [{ room: "a b" }, { name: "x".repeat(41) }, { key: "short" }]) {
        const ann = join(t, daemon.url, { ...options, ...refused });
        const sent = ann.send("hi");
        await assert.rejects(sent, ChatError);
        assert.equal(ann.state, "closed");
        const { code, reason } = ann.all("state").at(-1);
        assert.equal(code, 4400);
        assert.ok(reason.length > 20);
        await assert.rejects(ann.send("hi"), { code: "closed" });
      }
    });

    it(`is a user of the site by a token, and goes on with the next one, by ${transport}`, async (t) => {
      const daemon = await Daemon.start(t, "--token-keys=secret", "--guests=read");
      const tokens = [signed("42", 2, { name: "Ann" }), signed("42", 600, { name: "Ann" })];
      const ann = join(t, daemon.url, { ...options, name: "Eve", token: () => tokens.shift() });
      await open(ann);
      assert.deepEqual(ann.user, { id: "42", name: "Ann", verified: true });
      assert.deepEqual([...ann.can], ["join", "history", "send"]);
      await ann.send("with the first");
      await new Promise((over) => setTimeout(over, 2_100));
      const { seq } = await ann.send("with the second");
      assert.equal(seq, 2);
      const { messages } = await ann.history();
      assert.deepEqual(messages.map(({ user, message }) => [user.id, message]), [["42", "with the first"], ["42", "with the second"]]);
      await until(ann, () => ann.texts().length === 2);
      assert.deepEqual(ann.all("gap"), []);
      const guest = join(t, daemon.url, { ...options, name: "Ann" });
      await open(guest);
      assert.deepEqual([guest.user.verified, ...guest.can], [undefined, "join", "history"]);
      await assert.rejects(guest.send("x"), { code: "unauthorized" });
      const wrong = join(t, daemon.url, { ...options, token: () => `${signed("42", 600)}x` });
      await until(wrong, () => wrong.state === "closed");
      assert.equal(wrong.all("state").at(-1).code, 4401);
    });

    it(`gives up what is too long, by ${transport}`, async (t) => {
      const daemon = await Daemon.start(t, "--max-message=4");
      const ann = join(t, daemon.url, options);
      // The bound on messages is unknown before the server's first frame.
      const early = ann.send("ééé");
      const fits = ann.send("éé");
      await assert.rejects(early, { code: "message_too_long" });
      assert.equal((await fits).seq, 1);
      await assert.rejects(ann.send("12345"), { code: "message_too_long" });
      assert.equal(ann.state, "open");
      assert.deepEqual(ann.all("refused"), []);
    });
  }

  it("sends a message once whose answer on a WebSocket was lost", async (t) => {
    const daemon = await Daemon.start(t);
    const cable = await Cable.lay(t, daemon);
    const ann = join(t, cable.url);
    await ann.send("before");
    cable.hold("down");
    const sent = ann.send("once");
    while ((await daemon.history("lobby")).length < 2);
    cable.cut();
    assert.deepEqual(await sent.then(({ seq, duplicate }) => [seq, duplicate]), [2, true]);
    await ann.send("after");
    await until(ann, () => ann.texts().length === 3);
    assert.deepEqual(ann.texts(), ["before", "once", "after"]);
    assert.deepEqual(await daemon.history("lobby"), ["before", "once", "after"]);
  });

  it("sends a message once whose answer to a POST was lost", async (t) => {
    const daemon = await Daemon.start(t);
    const url = await firewall(t, daemon, "refuse", { answers: 2 });
    const ann = join(t, url, { transports: ["events"] });
    assert.equal((await ann.send("once")).seq, 1);
    await ann.send("after");
    await until(ann, () => ann.texts().length === 2);
    assert.deepEqual(await daemon.history("lobby"), ["once", "after"]);
  });

  it("tells of a gap, with the number of missed messages", async (t) => {
    const daemon = await Daemon.start(t, "--history-limit=2");
    const cable = await Cable.lay(t, daemon);
    const ann = join(t, cable.url);
    await ann.send("1");
    await until(ann, () => ann.texts().length === 1);
    cable.hold("up", "down");
    for (const text of numbers(5)) await daemon.say("lobby", text);
    cable.cut();
    await until(ann, () => ann.texts().length === 3);
    assert.deepEqual(ann.heard.filter(([type]) => type === "message" || type === "gap").slice(1), [
      ["gap", { reason: "trimmed", missed: 3 }],
      ["message", ann.all("message")[1]],
      ["message", ann.all("message")[2]],
    ]);
    assert.deepEqual(ann.texts(), ["1", "3", "4"]);
    // A server that has lost its messages begins anew, and says so.
    await daemon.kill();
    daemon.forget();
    await daemon.serve();
    await until(ann, () => ann.all("gap").length === 2);
    assert.deepEqual(ann.all("gap")[1], { reason: "epoch" });
    assert.equal((await ann.send("new")).seq, 1);
    await until(ann, () => ann.texts().length === 4);
  });

  it("falls back to events where a firewall refuses WebSockets", async (t) => {
    const daemon = await Daemon.start(t);
    const ann = join(t, await firewall(t, daemon, "refuse"));
    const { seq } = await ann.send("hi");
    assert.equal(seq, 1);
    assert.equal(ann.transport, "events");
    await until(ann, () => ann.texts().length === 1);
    // A transport that has worked is the first one of the next attempt.
    await daemon.kill();
    await until(ann, () => ann.state === "waiting");
    await daemon.serve();
    await until(ann, () => ann.state === "open");
    await ann.send("again");
    assert.deepEqual(await daemon.history("lobby"), ["hi", "again"]);
  });

  it("falls back to events where a firewall swallows WebSockets", async (t) => {
    const daemon = await Daemon.start(t);
    const ann = join(t, await firewall(t, daemon, "swallow"));
    assert.equal((await ann.send("hi")).seq, 1);
    assert.equal(ann.transport, "events");
  });

  it("comes back when a server that goes says", async (t) => {
    const daemon = await Daemon.start(t);
    const ann = join(t, daemon.url);
    await open(ann);
    await daemon.stop();
    const waiting = () => ann.all("state").find(({ state }) => state === "waiting");
    await until(ann, waiting);
    // If the daemon is slow to end, another attempt may have failed by now.
    const { code, retryMs } = waiting();
    assert.equal(code, 1012);
    assert.ok(retryMs >= 500);
    await daemon.serve();
    await open(ann);
  });

  it("reads pages of history", async (t) => {
    const daemon = await Daemon.start(t);
    const ann = join(t, daemon.url, { room: "r" });
    for (const text of numbers(5)) await ann.send(text);
    const newest = await ann.history({ limit: 2 });
    assert.deepEqual(newest.messages.map(({ message }) => message), ["3", "4"]);
    assert.equal(newest.epoch, ann.place.epoch);
    assert.ok(newest.more);
    const first = await ann.history({ before: 3, limit: 10 });
    assert.deepEqual([first.messages.length, first.more], [2, false]);
    const next = await ann.history({ after: 1, limit: 1 });
    assert.deepEqual([next.messages[0].message, next.more], ["1", true]);
    const found = await ann.history({ q: "3", user: ann.user.id, guest: true });
    assert.deepEqual(found.messages.map(({ message }) => message), ["3"]);
    assert.deepEqual((await ann.history({ user: ann.user.id, guest: false })).messages, []);
    await assert.rejects(ann.history({ limit: -1 }), { code: "bad_query" });
    await daemon.kill();
    await assert.rejects(ann.history(), { code: "unavailable" });
  });

  it("takes another name, in all tabs, and keeps it", async (t) => {
    const daemon = await Daemon.start(t);
    const key = "k".repeat(16);
    const ann = join(t, daemon.url, { name: "Ann", key });
    const tab = join(t, daemon.url, { name: "Ann", key, transports: ["events"] });
    const bob = join(t, daemon.url, { name: "Bob" });
    await Promise.all([ann, tab, bob].map(open));
    await until(bob, () => bob.presence.users === 2 && bob.presence.members.length === 2);
    assert.equal((await ann.rename("Amy")).name, "Amy");
    assert.equal(ann.user.name, "Amy");
    await until(bob, () => bob.all("renamed").length === 1);
    assert.deepEqual(bob.all("renamed"), [{ user: ann.user }]);
    assert.deepEqual(bob.presence.members.map(({ name }) => name).sort(), ["Amy", "Bob"]);
    await until(tab, () => tab.user.name === "Amy");
    // Events take another name too; a reserved one is replaced by the server.
    const { name } = await tab.rename("Operator");
    assert.match(name, /^guest-/);
    await tab.send("hi");
    await until(bob, () => bob.texts().length === 1);
    assert.equal(bob.all("message")[0].user.name, name);
    await until(ann, () => ann.user.name === name);
    await assert.rejects(ann.rename("A\nB"), { code: "bad_message" });
    assert.equal(ann.user.name, name);
    // The next connection has the same name.
    tab.close();
    await daemon.stop();
    await daemon.serve();
    await until(ann, () => ann.state === "open");
    assert.equal(ann.user.name, name);
  });

  it("tells others of typing, at a bounded rate", async (t) => {
    const daemon = await Daemon.start(t);
    const ann = join(t, daemon.url, { name: "Ann" });
    const bob = join(t, daemon.url, { name: "Bob" });
    await Promise.all([open(ann), open(bob)]);
    for (const _ of numbers(50)) ann.typing();
    await ann.send("x");
    await until(bob, () => bob.texts().length === 1);
    assert.deepEqual(bob.all("typing").map(({ user }) => user.name), ["Ann"]);
    assert.deepEqual(ann.all("error"), []);
  });

  it("holds a bounded number of messages, and rejects them when it is closed", async (t) => {
    const daemon = await Daemon.start(t);
    await daemon.kill();
    const ann = join(t, daemon.url);
    const sent = numbers(100).map((text) => ann.send(text));
    const answers = Promise.allSettled(sent);
    await assert.rejects(ann.send("one more"), { code: "outbox_full" });
    assert.equal(ann.outbox.length, 100);
    ann.discard(ann.outbox[0].nonce);
    await assert.rejects(sent[0], { code: "discarded" });
    ann.close();
    const codes = (await answers).map(({ reason }) => reason.code);
    assert.deepEqual([...new Set(codes)], ["discarded", "closed"]);
    assert.deepEqual(ann.outbox, []);
    await assert.rejects(ann.send("hi"), { code: "closed" });
  });
});

// This runs alone, as all chats of a page get its events.
describe("livechat.js, when the network is back", { timeout: 110_000 }, () => {
  it("notices a dead connection that is still open", async (t) => {
    const daemon = await Daemon.start(t);
    const cable = await Cable.lay(t, daemon);
    const ann = join(t, cable.url);
    await open(ann);
    cable.hold("up", "down");
    await daemon.say("lobby", "meanwhile");
    page.dispatchEvent(new Event("online"));
    await until(ann, () => ann.state === "waiting");
    cable.cut();
    await until(ann, () => ann.texts().length === 1);
    assert.deepEqual(ann.texts(), ["meanwhile"]);
  });
});
