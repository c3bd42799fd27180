// The chat page and the embed in Firefox, driven by WebDriver BiDi.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, describe, it } from "node:test";
import puppeteer from "puppeteer-core";
import { Cable, Daemon, firewall } from "./world.mjs";

const PATIENCE = 20_000;
/** Settings that keep Firefox from talking to its maker. */
const QUIET = {
  "app.normandy.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "intl.accept_languages": "en",
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "toolkit.telemetry.reportingpolicy.firstRun": false,
};

/** Parts that all tests share; they end behind the last one. */
const ends = [];
const all = { after: (end) => ends.unshift(end) };

/** The shown messages, and the number of those that wait. */
function shown() {
  const { shadowRoot: root } = document.querySelector("[data-livechat]");
  const texts = [...(root?.querySelectorAll(".said .message p") ?? [])].map(({ innerText }) => innerText);
  return JSON.stringify([texts, root?.querySelectorAll(".waiting li").length]);
}

/** Somebody in a room. */
class Visitor {
  static async open(browser, url) {
    const visitor = new Visitor();
    // The window has storage of its own.
    visitor.context = await browser.createBrowserContext();
    visitor.page = await visitor.context.newPage();
    visitor.page.setDefaultTimeout(PATIENCE);
    visitor.complaints = [];
    // Errors of the network are expected in tests that cut it.
    const expected = /can’t establish a connection|was interrupted while the page was loading/;
    visitor.page.on("pageerror", ({ message }) => expected.test(message) || visitor.complaints.push(message));
    await visitor.page.goto(url);
    return visitor;
  }

  async join(name) {
    const field = await this.page.waitForSelector(">>> .join input");
    await field.type(name);
    await field.press("Enter");
    await this.isIn();
    return this;
  }

  async isIn() {
    this.composer = await this.page.waitForSelector(">>> .composer textarea");
    await this.page.waitForFunction(() => document.querySelector("[data-livechat]").shadowRoot.querySelector(".banner").hidden);
  }

  async says(text) {
    await this.composer.type(text);
    await this.composer.press("Enter");
  }

  async hears(...texts) {
    const expected = JSON.stringify([texts, 0]);
    const looks = `(${shown})() === ${JSON.stringify(expected)}`;
    await this.page.waitForFunction(looks).catch(async () => assert.equal(await this.page.evaluate(shown), expected));
  }

  /** Wait until the page says that there is no connection. */
  async isCutOff() {
    const banner = () => /Reconnecting/.test(document.querySelector("[data-livechat]").shadowRoot.querySelector(".banner").textContent);
    await this.page.waitForFunction(banner);
  }

  async leave() {
    await this.context.close();
    assert.deepEqual(this.complaints, []);
  }
}

describe("Firefox", { timeout: 100_000 }, () => {
  let [browser, daemon, site, visitors] = [];

  const visit = async (room, name, url = daemon.url) => {
    const visitor = await Visitor.open(browser, `${url}/rooms/${room}/`);
    visitors.push(visitor);
    return visitor.join(name);
  };

  before(async () => {
    const pages = createServer((_, answer) => answer.writeHead(200, { "Content-Type": "text/html" }).end(site.page));
    await new Promise((resolve) => pages.listen(0, resolve));
    all.after(() => pages.close());
    site = { url: `http://localhost:${pages.address().port}` };
    [browser, daemon] = await Promise.all([
      puppeteer.launch({
        browser: "firefox", executablePath: process.env.FIREFOX, acceptInsecureCerts: true, extraPrefsFirefox: QUIET,
      }),
      Daemon.start(all, `--origin=${site.url}`, "--rate-per-ip=0"),
    ]);
    all.after(() => browser.close());
  });
  after(async () => {
    for (const end of ends) await end();
  });
  beforeEach((t) => {
    visitors = [];
    t.after?.(async () => {
      for (const each of visitors) await each.leave();
    });
  });

  it("joins, says something, and hears it and others", async () => {
    const [ann, bob] = await Promise.all([visit("talk", "Ann"), visit("talk", "Bob")]);
    await ann.says("hi");
    await bob.hears("hi");
    await bob.says("hello");
    for (const each of [ann, bob]) await each.hears("hi", "hello");
  });

  it("goes on after a restart, and misses nothing", async () => {
    const ann = await visit("restart", "Ann");
    await ann.says("before");
    await ann.hears("before");
    await daemon.kill();
    await ann.isCutOff();
    await ann.says("meanwhile");
    await daemon.serve();
    await daemon.say("restart", "from elsewhere");
    await ann.page.waitForFunction(`(${shown})().includes("meanwhile") && (${shown})().includes("from elsewhere")`);
    const said = await daemon.history("restart");
    await ann.hears(...said);
    assert.deepEqual([...said].sort(), ["before", "from elsewhere", "meanwhile"]);
  });

  it("keeps what is written while there is no network", async (t) => {
    const cable = await Cable.lay(t, daemon);
    const ann = await visit("offline", "Ann", cable.url);
    await ann.says("before");
    await ann.hears("before");
    cable.hold("up", "down");
    await ann.page.evaluate(() => void dispatchEvent(new Event("offline")));
    await daemon.say("offline", "unheard");
    await ann.says("from nowhere");
    await ann.isCutOff();
    cable.cut();
    await ann.page.evaluate(() => void dispatchEvent(new Event("online")));
    await ann.hears("before", "unheard", "from nowhere");
  });

  it("embeds the chat in a page of another site", async () => {
    site.page = `<!doctype html><title>x</title><div data-livechat="embedded"></div>
      <script type="module" src="${daemon.url}/static/embed.js"></script>`;
    const ann = await Visitor.open(browser, site.url);
    visitors.push(ann);
    await ann.join("Ann");
    await ann.says("from afar");
    await ann.hears("from afar");
    assert.deepEqual(await daemon.history("embedded"), ["from afar"]);
  });

  it("falls back to events where WebSockets are blocked", async (t) => {
    const url = await firewall(t, daemon, "refuse");
    const [ann, bob] = await Promise.all([visit("blocked", "Ann", url), visit("blocked", "Bob")]);
    await ann.says("by events");
    await bob.hears("by events");
    await bob.says("by a socket");
    await ann.hears("by events", "by a socket");
  });
});
