// static/chat/chat-text.js, chat-day.js and chat-days.js: marks, links and names in any text, and a message's day.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endOfDay, nameDay } from "../../static/chat/chat-day.js";
import { firstSince } from "../../static/chat/chat-days.js";
import { look } from "../../static/chat/chat-names.js";
import { calls, parse, plain } from "../../static/chat/chat-text.js";
import { speak } from "../../static/chat/texts.js";

const SIGNS = { "*": "em", _: "em", "**": "strong", "***": "both" };
/** Characters of the longest message that a server takes by default. */
const LONGEST = 16_384;

/** The parts of a text, told apart by brackets that no text here has. */
function read(text, who) {
  const written = ({ kind, text: each, to, mark }) => {
    if (kind === "open") return `[${SIGNS[mark]}:`;
    if (kind === "close") return "]";
    if (kind === "text") return each;
    return kind === "link" ? `[${each}](${to})` : `[${kind}:${each}]`;
  };
  return parse(text, who).map(written).join("");
}

/** Finds people by their names; the first one is the visitor. */
const room = (...names) => (name) => {
  const at = names.findIndex((each) => look(each) === look(name));
  return at < 0 ? undefined : at ? "other" : "me";
};

describe("chat-text.js", () => {
  const cases = {
    "emphasis": ["*a b* _c_ **d** ***e***", "[em:a b] [em:c] [strong:d] [both:e]"],
    "emphasis in emphasis": ["**a _b_ c**", "[strong:a [em:b] c]"],
    "crossing marks": ["*a **b* c**", "[em:a **b] c**"],
    "marks without another": ["*a **b _c", "*a **b _c"],
    "marks over lines": ["*a\nb*", "*a\nb*"],
    "lists and sums": ["* a\n* b\n2 * 3 * 4, 2*3*4", "* a\n* b\n2 * 3 * 4, 2*3*4"],
    "names in programs": ["a_b_c __init__ *args, **kwargs", "a_b_c __init__ *args, **kwargs"],
    "a shrug": ["¯\\_(ツ)_/¯", "¯\\_(ツ)_/¯"],
    "words without spaces": ["これは**重要**です, **중요**합니다", "これは[strong:重要]です, [strong:중요]합니다"],
    "emphasis beside signs": ["(*a*), “**b**”!", "([em:a]), “[strong:b]”!"],
    "decomposed letters": ["e\u0301*a*", "e\u0301*a*"],
    "letters beyond 16 bits": ["𝒜*a* *𝒜*", "𝒜*a* [em:𝒜]"],
    "code": ["`a *b* @Ann https://x.y` ``, `", "[code:a *b* @Ann https://x.y] `[code:, ]"],
    "code with three": ["```a```", "[code:a]"],
    "a block": ["a\n```js\n*b*\n\n  c\n```\nd", "a\n[block:*b*\n\n  c]d"],
    "blocks without an end": ["```\na *b*", "```\na [em:b]"],
    "an empty block": ["```\n```", "```\n```"],
    "text behind a fence": ["```not a language\na\n```", "```not a language\na\n```"],
    "two blocks": ["```\na\n```\n```\nb\n```", "[block:a][block:b]"],
    "markup": ["<b>*a*</b> &lt; <img src=x onerror=alert(1)>", "<b>[em:a]</b> &lt; <img src=x onerror=alert(1)>"],
    "links of Markdown": ["[a](javascript:alert(1)) ![b](x)", "[a](javascript:alert(1)) ![b](x)"],
    "addresses": ["see https://a.b/c_d_(e)?f=*g*. HTTP://X.Y", "see [https://a.b/c_d_(e)?f=*g](https://a.b/c_d_(e)?f=*g)*. [HTTP://X.Y](HTTP://X.Y)"],
    "emphasised addresses": ["**https://a.b** _https://a.b_ (https://a.b)", "[strong:[https://a.b](https://a.b)] [em:[https://a.b](https://a.b)] ([https://a.b](https://a.b))"],
    "addresses without a scheme": ["www.a.org/b, www.münchen.de.", "[www.a.org/b](https://www.a.org/b), [www.münchen.de](https://www.münchen.de)."],
    "no addresses": ["www. www.a xwww.a.b awww://b.c https:// https://:80", "www. www.a xwww.a.b awww://b.c https:// https://:80"],
    "scripts in addresses": ["javascript:alert(1) data:text/html,x JaVaScRiPt:a https://javascript:alert(1)", "javascript:alert(1) data:text/html,x JaVaScRiPt:a https://javascript:alert(1)"],
    "another host's name before the host": ["https://bank.example@evil.example/ www.a.b:c@evil.example", "https://bank.example@evil.example/ www.a.b:c@evil.example"],
    "an address that turns around": ["https://a.b/\u202egpj.exe", "[https://a.b/](https://a.b/)\u202egpj.exe"],
    "mail": ["to a.b+c@d-e.org, or x@y", "to [a.b+c@d-e.org](mailto:a.b+c@d-e.org), or x@y"],
    "mail with more": ["a@b.org?subject=c&body=d mailto:e@f.org", "[a@b.org](mailto:a@b.org)?subject=c&body=d mailto:[e@f.org](mailto:e@f.org)"],
  };
  for (const [name, [text, expected]] of Object.entries(cases)) {
    it(`reads ${name}`, () => assert.equal(read(text), expected));
  }

  it("finds names, the longest first", () => {
    const who = room("Ann", "Ann Lee", "Bo");
    assert.equal(read("@Ann, @ann! @Anna @Ann Lee @AnnLee’s", who), "[me:@Ann], [me:@ann]! @Anna [other:@Ann Lee] [other:@AnnLee]’s");
    assert.equal(read("a@Ann ann@Bo.org `@Ann` **@Bo**\n@", who), "a@Ann [ann@Bo.org](mailto:ann@Bo.org) [code:@Ann] [strong:[other:@Bo]]\n@");
    assert.equal(read("@Ann\nLee", who), "[me:@Ann]\nLee");
  });

  it("takes names as they are, signs and all", () => {
    for (const name of [".*", "a|b", "(", "[^x]+$", "\\", "$&", "C++", "*x*", "אבג", "花子", "ﬁ", "👩‍🚀", "<b>"]) {
      const who = room(name);
      assert.equal(read(`x @${name} y`, who), `x [me:@${name}] y`);
      assert.ok(calls(`@${name}`, who));
      assert.ok(!calls(`@x`, who));
    }
    assert.equal(read("@花子さん", room("花子")), "[me:@花子]さん");
  });

  it("says whether the visitor is called", () => {
    const who = room("Ann", "Bo");
    const texts = ["@Ann", "@Bo", "Ann", "`@Ann`", "x@Ann", "*@Ann*"];
    assert.deepEqual(texts.map((text) => calls(text, who)), [true, false, false, false, false, true]);
  });

  it("looks for few names only", () => {
    let asked = 0;
    parse("@a b c d ".repeat(LONGEST / 9), () => void asked++);
    assert.ok(asked <= 20 * 80, String(asked));
  });

  it("has a text without marks", () => {
    assert.equal(plain("**a** `b` https://c.d\n```\ne\n```\nf"), "a b https://c.d\ne\nf");
  });

  it("loses no character of a text but marks", () => {
    const signs = ["*", "**", "_", "`", "```", "\n", "@", "é", " ", "www.a.b", "https://", ")", "\\", "x@y.zz"];
    let state = 7;
    for (let round = 0; round < 3_000; round++) {
      const some = Array.from({ length: 12 }, () => signs[(state = (state * 48_271) % 2_147_483_647) % signs.length]);
      const text = some.join("");
      const bare = (each) => each.replace(/[*_`\n]/g, "");
      assert.equal(bare(parse(text).map((each) => (each.mark ? "" : each.text)).join("")), bare(text), JSON.stringify(text));
    }
  });

  it("nests no deeper than there are marks", () => {
    for (const text of ["*".repeat(10_000), "* ".repeat(8_000), "*a ".repeat(5_000), "*_**a".repeat(3_000), "*a* ".repeat(4_000)]) {
      let [depth, deepest] = [0, 0];
      for (const { kind } of parse(text)) deepest = Math.max(deepest, (depth += kind === "open" ? 1 : kind === "close" ? -1 : 0));
      assert.equal(depth, 0);
      assert.ok(deepest <= 4);
    }
  });

  const long = {
    "asterisks": "*", "marks": "*a ", "pairs": "*a* ", "mixed marks": "**a _b ", "lines": "_\n",
    "backticks": "`", "code": "`a", "fences": "```\n", "blocks": "```a\n\n", "tags": "```a\n", "closing brackets": ")",
    "dots": ".", "letters": "a", "words": "a.", "mail": "a@", "hosts": "a@b.", "names": "@a ", "short": "www.", "schemes": "https://", "spaces": " ",
  };
  it("takes CPU time that is linear in the length", () => {
    const spent = (each, length) => {
      const texts = [each.repeat(length / each.length), `https://a${each.repeat(length / each.length)}`, `a@${each.repeat(length / each.length)}`];
      return Math.min(...[1, 2, 3].map(() => {
        const before = process.cpuUsage().user;
        for (const text of texts) parse(text, () => undefined);
        return process.cpuUsage().user - before;
      }));
    };
    // Quadratic code would take sixty-four times as long for eight times the length; the bound leaves room for garbage collection.
    for (const [name, each] of Object.entries(long)) {
      const [short, all] = [spent(each, LONGEST), spent(each, 8 * LONGEST)];
      assert.ok(all < 40 * (short + 2_000), `${name}: ${short} and ${all} µs`);
    }
  });
});

describe("chat-days.js", () => {
  it("names days", () => {
    const now = new Date(2026, 2, 29, 0, 30).getTime();
    const name = (locale, ...date) => nameDay(speak({}, locale), new Date(...date).getTime(), now);
    assert.equal(name("en", 2026, 2, 29, 23, 59), "Today");
    assert.equal(name("en", 2026, 2, 28, 23, 59), "Yesterday");
    assert.equal(name("en", 2026, 2, 27, 0, 0), "Friday, March 27");
    assert.equal(name("en", 2025, 11, 31), "Wednesday, December 31, 2025");
    assert.equal(name("en", 2026, 2, 30), "Monday, March 30");
    assert.equal(name("de", 2026, 2, 28), "Gestern");
    assert.equal(name("de", 2025, 11, 31), "Mittwoch, 31. Dezember 2025");
  });

  const HOUR = 3_600_000;
  // A day's hours, where clocks go forward or back on it: in Chile at midnight, on Lord Howe Island by half an hour.
  const days = {
    "UTC": [[2026, 2, 29, 24], [2028, 1, 29, 24]],
    "Europe/Berlin": [[2026, 2, 29, 23], [2026, 9, 25, 25], [2040, 11, 31, 24]],
    "America/St_Johns": [[2026, 2, 8, 23], [2026, 10, 1, 25]],
    "America/Santiago": [[2026, 3, 4, 25], [2026, 8, 6, 23]],
    "Australia/Lord_Howe": [[2026, 3, 5, 24.5], [2026, 9, 4, 23.5]],
    "Pacific/Kiritimati": [[2026, 11, 31, 24]],
  };
  for (const [zone, changes] of Object.entries(days)) {
    it(`names days of any length, in ${zone}`, (t) => {
      const before = process.env.TZ;
      t.after(() => (before === undefined ? delete process.env.TZ : (process.env.TZ = before)));
      process.env.TZ = zone;
      for (const [year, month, day, hours] of changes) {
        const begin = new Date(year, month, day).getTime();
        const end = endOfDay(begin);
        assert.equal((end - begin) / HOUR, hours, `${year}-${month + 1}-${day}`);
        assert.equal(endOfDay(end - 1), end);
        const name = (time, now) => nameDay(speak({}, "en"), time, now);
        assert.deepEqual([name(begin, end - 1), name(end - 1, begin)], ["Today", "Today"]);
        assert.deepEqual([name(begin, end), name(begin - 1, end - 1)], ["Yesterday", "Yesterday"]);
        assert.match(name(begin - 1, end), /day, \w+ \d+/);
      }
    });
  }

  /** A room of messages with these times; a number without a time has no message. */
  const roomOf = (times, isGone = () => false) => {
    const asked = [];
    const history = async ({ after, limit }) => {
      asked.push(after);
      const looked = times.map((time, at) => ({ seq: at + 1, time })).slice(after, after + limit);
      const more = after + limit < times.length;
      return { messages: looked.filter(({ seq }) => !isGone(seq)), more, ...(more && { next: { after: after + limit } }) };
    };
    return { asked, history };
  };

  it("finds the first message since a time", async () => {
    const times = Array.from({ length: 10_000 }, (_, at) => Math.floor(at / 7) * 10);
    for (const since of [-5, 0, 1, 10, 4_321, 14_280, 14_281, 99_999]) {
      const room = roomOf(times);
      const found = await firstSince(room, times.length, since);
      const expected = times.findIndex((time) => time >= since);
      assert.equal(found?.seq, expected < 0 ? undefined : expected + 1, String(since));
      assert.ok(room.asked.length <= 15, String(room.asked.length));
    }
    assert.equal(await firstSince(roomOf([]), 0, 5), undefined);
  });

  it("finds it behind messages that were taken back, and ends", async () => {
    const times = Array.from({ length: 3_000 }, (_, at) => at);
    for (const since of [0, 500, 1_500, 2_500]) {
      const room = roomOf(times, (seq) => seq > 400 && seq < 2_900);
      const found = await firstSince(room, times.length, since);
      assert.equal(found?.seq, since < 400 ? since + 1 : 2_900, String(since));
      assert.ok(room.asked.length <= 40, String(room.asked.length));
    }
    const empty = roomOf(times, () => true);
    assert.equal(await firstSince(empty, times.length, 5), undefined);
    const senseless = { history: async () => ({ messages: [{ seq: 1, time: 0 }], next: { after: 1 } }) };
    assert.equal(await firstSince(senseless, 1e9, 5), undefined);
  });
});
