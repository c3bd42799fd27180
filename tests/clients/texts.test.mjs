// static/chat/texts.js and chat-door.js: the choice of a language, and its texts with their values.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { whyMute } from "../../static/chat/chat-door.js";
import germanMore from "../../static/chat/texts-de-more.js";
import germanFirst from "../../static/chat/texts-de.js";
import englishMore from "../../static/chat/texts-en-more.js";
import englishFirst from "../../static/chat/texts-en.js";
import { choose, speak, textsFor } from "../../static/chat/texts.js";

const english = { ...englishFirst, ...englishMore };
const german = { ...germanFirst, ...germanMore };
const DAY = [[0, 8], [9, 5], [12, 0], [13, 5], [23, 59]];
const at = (hour, minute, day = 27) => new Date(2026, 10, day, hour, minute).getTime();
/** Browsers have a narrow space, or another one, before AM. */
const spaced = (text) => text.replace(/\s/g, " ");

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
  it("dates as the language does", () => {
    assert.equal(de.date(at(0, 8), { day: "numeric", month: "long" }), "27. November");
    assert.equal(de.moment(at(0, 8)), "27.11.2026, 00:08:00");
  });
  const clocks = {
    en: "12:08 AM, 9:05 AM, 12:00 PM, 1:05 PM, 11:59 PM",
    "en-GB": "00:08, 09:05, 12:00, 13:05, 23:59",
    de: "00:08, 09:05, 12:00, 13:05, 23:59",
    "de-AT": "00:08, 09:05, 12:00, 13:05, 23:59",
    fr: "00:08, 09:05, 12:00, 13:05, 23:59",
    es: "0:08, 9:05, 12:00, 13:05, 23:59",
    fa: "۰:۰۸, ۹:۰۵, ۱۲:۰۰, ۱۳:۰۵, ۲۳:۵۹",
    "ar-EG": "١٢:٠٨ ص, ٩:٠٥ ص, ١٢:٠٠ م, ١:٠٥ م, ١١:٥٩ م",
  };
  for (const [locale, expected] of Object.entries(clocks)) {
    it(`the hours of a day in ${locale}`, () => {
      const t = speak(english, locale);
      assert.equal(spaced(DAY.map(([hour, minute]) => t.time(at(hour, minute))).join(", ")), expected);
    });
  }
  it("which texts there are", () => {
    assert.deepEqual(["you", "toString", "problem.x"].map(en.has), [true, false, false]);
  });
  it("the direction", () => {
    assert.equal(en.direction, "ltr");
    assert.equal(speak({ ...english, direction: "rtl" }, "ar").direction, "rtl");
  });
});

describe("chat-door.js says until when one is muted", () => {
  /** The words for somebody who is muted until one time, at another. */
  const muted = (locale, until, now) => {
    const t = speak(locale === "de" ? german : english, locale);
    const restriction = { kind: "mute", until };
    return spaced(whyMute(t, { can: new Set(), restriction, settings: {}, user: null, now: () => now })[0]);
  };
  const year = (...date) => new Date(...date).getTime();
  const cases = [
    ["today", "en", at(0, 8), at(0, 1), "You are muted until 12:08 AM."],
    ["today", "de", at(0, 8), at(0, 1), "Sie sind stummgeschaltet bis 00:08."],
    ["tomorrow", "en", at(0, 8, 28), at(23, 59), "You are muted until November 28, 2026 at 12:08 AM."],
    ["tomorrow", "de", at(9, 5, 28), at(23, 59), "Sie sind stummgeschaltet bis 28. November 2026 um 09:05."],
    ["tomorrow", "en-GB", at(13, 5, 28), at(23, 59), "You are muted until 28 November 2026 at 13:05."],
    ["next year", "de", year(2027, 0, 1), year(2026, 11, 31, 23, 59), "Sie sind stummgeschaltet bis 1. Januar 2027 um 00:00."],
    ["a leap day", "en", year(2028, 1, 29, 12), year(2028, 1, 28), "You are muted until February 29, 2028 at 12:00 PM."],
  ];
  for (const [when, locale, until, now, expected] of cases) {
    it(`${when} in ${locale}`, () => assert.equal(muted(locale, until, now), expected));
  }
  it("without an end", () => assert.equal(muted("en", undefined, at(0, 8)), "You are muted."));
});
