// static/client/livechat.js in the scenarios that all clients play: scenarios/README.md.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { Script, greet, join_ as join, open, until } from "./world.mjs";

const place = new URL("scenarios/", import.meta.url);
const scenarios = readdirSync(place)
  .filter((name) => name.endsWith(".json"))
  .flatMap((name) => JSON.parse(readFileSync(new URL(name, place), "utf8")));
const part = (object) => Buffer.from(JSON.stringify(object)).toString("base64url");
const token = (jti) => `${part({ alg: "none" })}.${part({ sub: "42", exp: 5_000_000_000, jti })}.`;
const TOLD = ["message", "edited", "retracted", "gap"];

/** Make a function that gives so many tokens, the last one again and again. */
function source(count) {
  let calls = 0;
  return async () => token(Math.min(calls++, count - 1));
}

/** Play the scenario's steps on a connection, and note the frames that come. */
async function serve(socket, steps, heard) {
  const [frames, waiting] = [[], []];
  socket.on("message", (data) => {
    const frame = JSON.parse(data);
    if (!frame.nonce) return;
    heard.push(frame);
    frames.push(frame);
    waiting.shift()?.();
  });
  const next = async () => {
    if (!frames.length) await new Promise((resolve) => waiting.push(resolve));
    return frames.shift();
  };
  for (const [step, given, reason] of steps) {
    if (step === "hello") greet(socket, given);
    else if (step === "say") socket.send(JSON.stringify(given));
    else if (step === "raw") socket.send(given);
    else if (step === "answer") socket.send(JSON.stringify({ ...given, nonce: (await next()).nonce }));
    else if (step === "hear") await next();
    else if (step === "close") socket.close(given, reason);
    else if (step === "cut") socket.send('{"type":"pong"}', () => socket.terminate());
  }
}

/** Replace the nonces in frames by numbers, in the order of their first use. */
function numbered(heard) {
  const known = [...new Set(heard.map(({ nonce }) => nonce))];
  return heard.map(({ nonce, ...frame }) => ({ ...frame, nonce: known.indexOf(nonce) }));
}

async function call(ann, [method, given, { fails, ...expected }]) {
  const [done] = await Promise.allSettled([ann[method](...given)]);
  assert.equal(done.status, fails ? "rejected" : "fulfilled", String(done.reason));
  if (fails) assert.equal(done.reason.code, fails);
  for (const [name, value] of Object.entries(expected)) assert.deepEqual((done.value ?? done.reason)[name], value);
}

function checkState({ code, reason, retryMs }, { code: known, reason: text, retryMs: exact, least, most }) {
  if (known !== undefined) assert.equal(code, known);
  if (text !== undefined) assert.equal(reason, text);
  if (exact !== undefined) assert.equal(retryMs, exact);
  if (least !== undefined) assert.ok(least <= retryMs && retryMs <= most, String(retryMs));
}

describe("livechat.js in the scenarios of all clients", { concurrency: 24, timeout: 60_000 }, () => {
  for (const scenario of scenarios) {
    it(scenario.name, async (t) => {
      const { options = {}, connections, calls = [], told = [], state, heard: expected } = scenario;
      const heard = [];
      const script = await Script.run(t, (socket, count) => serve(socket, connections[count] ?? connections.at(-1), heard));
      const { tokens, ...rest } = options;
      const more = { transports: ["websocket"], ...rest, ...(tokens && { token: source(tokens) }) };
      const ann = join(t, script.url, more);
      if (calls.length) await open(ann);
      await Promise.all(calls.map((each) => call(ann, each)));
      const entries = () => ann.heard.filter(([type]) => TOLD.includes(type));
      await until(ann, () => entries().length >= told.length);
      assert.deepEqual(entries(), told);
      if (state) {
        const ended = () => ann.all("state").find((each) => each.state === state.state);
        await until(ann, ended);
        checkState(ended(), state);
      }
      if (scenario.since || scenario.tokens) {
        await until(ann, () => ann.state === "closed" || script.asked.length >= (scenario.since ?? scenario.tokens).length);
      }
      if (scenario.since) assert.deepEqual(script.asked.map((url) => url.searchParams.get("since")), scenario.since);
      if (scenario.tokens) assert.deepEqual(script.offered, scenario.tokens.map((at) => `livechat.v1,livechat.token.${token(at)}`));
      if (scenario.asked) assert.deepEqual([script.asked[0].pathname, Object.fromEntries(script.asked[0].searchParams)], scenario.asked);
      if (scenario.place) assert.deepEqual(ann.place, scenario.place);
      if (expected) assert.deepEqual(numbered(heard), expected);
    });
  }
});
