// static/chat/texts.js: the choice of a language, and its texts with their values.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import germanMore from "../../static/chat/texts-de-more.js";
import germanFirst from "../../static/chat/texts-de.js";
import englishMore from "../../static/chat/texts-en-more.js";
import englishFirst from "../../static/chat/texts-en.js";
import { choose, speak, textsFor } from "../../static/chat/texts.js";

const english = { ...englishFirst, ...englishMore };
const german = { ...germanFirst, ...germanMore };
const NOON = Date.UTC(2026, 10, 27, 12, 5);

/** Give the browser these languages. */
function browse(languages) {
  Object.defineProperty(globalThis, "navigator", { value: { languages }, configurable: true });
}

/** Choose as a browser that has these languages. */
function chosen(tags, browser = []) {
  browse(browser);
  return choose([...tags, ...browser]);
}

describe("texts.js chooses", () => {
  const cases = [
    ["English where there is nothing else", [], [], ["en", "en"]],
    ["what is asked for before the browser's", ["de"], ["en-US"], ["de", "de"]],
    ["by a shorter tag", ["de-AT-1996"], [], ["de", "de-AT-1996"]],
    ["in any case", ["DE-ch"], [], ["de", "DE-ch"]],
    ["the browser's region of a language", ["en"], ["de-DE", "en-GB"], ["en", "en-GB"]],
    ["the browser's where there is no such language", ["fr"], ["de-AT", "en"], ["de", "de-AT"]],
    ["English where there is none of them", ["fr"], ["pl", "cs"], ["en", "en"]],
    ["a language although its region is none", ["de-a b"], [], ["de", "de"]],
    ["nothing that every object has", ["__proto__", "constructor"], [], ["en", "en"]],
    ["in spite of empty and odd tags", ["", "-", "--", "x y", "*"], [], ["en", "en"]],
  ];
  for (const [what, tags, browser, expected] of cases) {
    it(what, () => assert.deepEqual(chosen(tags, browser), expected));
  }
});

describe("texts.js loads", () => {
  it("what is needed first, and the rest when it is asked for; a page's own texts stay", async () => {
    browse([]);
    globalThis.ShadowRoot ??= class {};
    const page = { closest: () => ({ getAttribute: () => "de" }) };
    const t = await textsFor(page, "", { "ban.ban": "Weg" });
    assert.deepEqual([t("composer.send"), t("ban.ban"), t.has("menu.reply")], ["Senden", "Weg", false]);
    await t.more();
    await t.more();
    assert.deepEqual([t("composer.send"), t("ban.ban"), t("menu.reply")], ["Senden", "Weg", "Antworten"]);
  });
});

describe("texts.js says", () => {
  const en = speak(english, "en");
  const de = speak(german, "de");
  const shown = (parts) => parts.map((part) => (typeof part === "string" ? part : `[${part.name}]`)).join("");

  it("a text", () => assert.equal(de("composer.send"), "Senden"));
  it("one of one, and several", () => {
    assert.deepEqual([0, 1, 2].map((count) => en("people.count", { count })), ["0 people", "1 person", "2 people"]);
  });
  it("numbers as the language does", () => {
    assert.equal(en("people.count", { count: 12_345 }), "12,345 people");
    assert.equal(de("people.count", { count: 12_345 }), "12.345 Personen");
  });
  it("all forms of a language that has more", () => {
    const count = { zero: "z", one: "o", two: "t", few: "f", many: "m", other: "x" };
    const ar = speak({ ...english, "people.count": count }, "ar");
    assert.equal([0, 1, 2, 5, 50, 100].map((each) => ar("people.count", { count: each })).join(""), "zotfmx");
  });
  it("the other form where one is missing", () => {
    const pl = speak({ ...english, "people.count": { one: "1", other: "n" } }, "pl");
    assert.equal(pl("people.count", { count: 3 }), "n");
  });
  it("values where the language has them", () => {
    const own = speak({ ...english, "typing.two": "{other} et {name}" }, "fr");
    assert.equal(own("typing.two", { name: "A", other: "B" }), "B et A");
  });
  it("values that look like places as they are", () => {
    assert.equal(en("typing.two", { name: "{other}", other: "{name}" }), "{other} and {name} are writing…");
  });
  it("elements among texts", () => {
    assert.equal(shown(de.nodes("ban.title", { name: { name: "Ann" } })), "[Ann] sperren");
    assert.equal(shown(en.nodes("ban.title", { name: { name: "Ann" } })), "Ban [Ann]");
  });
  it("nothing for a value that is missing", () => assert.equal(en("ban.title"), "Ban "));
  it("times and dates as the language does", () => {
    assert.match(en.time(NOON), /^\d?\d:05\s[AP]M$/);
    assert.match(de.time(NOON), /^\d\d:05$/);
    assert.equal(de.date(NOON, { day: "numeric", month: "long", timeZone: "UTC" }), "27. November");
    assert.match(de.moment(NOON), /^27\.11\.2026/);
  });
  it("which texts there are", () => {
    assert.deepEqual(["you", "toString", "problem.x"].map(en.has), [true, false, false]);
  });
  it("the direction", () => {
    assert.equal(en.direction, "ltr");
    assert.equal(speak({ ...english, direction: "rtl" }, "ar").direction, "rtl");
  });
});
