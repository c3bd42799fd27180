/**
 * The text of a message: a small part of Markdown, links, and names of people who are called.
 *
 *     *emphasis* _emphasis_ **strong** ***both*** `code`     within a line
 *     ```                                                    lines of code between two of these
 *     https://… www.… ann@example.org @Ann
 *
 * Marks that do not fit stay as they were typed.  Elements are made, never HTML; so nothing has to be sanitised.
 * The time is linear in the length, whatever the text: there is one look ahead at most, and marks nest three deep.
 */

import { element } from "./dom.js";

/**
 * A part of a text. What lies between `open` and `close` is emphasised as `mark` says.
 *
 * @typedef {{ kind: "text" | "code" | "block" | "link" | "me" | "other" | "open" | "close", text: string, to?: string, mark?: Mark }} Part
 * @typedef {"*" | "_" | "**" | "***"} Mark
 */

/**
 * The owner of a name: the visitor, another, or nobody.
 *
 * @typedef {(name: string) => "me" | "other" | undefined} Who
 */

/** Names that are looked for in a text, and code units in each. */
const MOST_NAMES = 20;
const LONGEST_NAME = 80;
const FENCE = "```";
/** The first line of a block may have a language's name, which is not shown. */
const BLOCK = /^```[\w+#-]{0,20}$/;
/** @type {Record<Mark, ("em" | "strong")[]>} */
const TAGS = { "*": ["em"], _: ["em"], "**": ["strong"], "***": ["strong", "em"] };

/** A part of a word. In scripts that put no space between words, anything may follow. */
const LETTER =
  "(?!\\p{scx=Han}|\\p{scx=Hira}|\\p{scx=Kana}|\\p{scx=Hang}|\\p{scx=Thai}|\\p{scx=Laoo}|\\p{scx=Khmr}|\\p{scx=Mymr})[\\p{L}\\p{N}\\p{M}]";
const ENDS_WITH_LETTER = new RegExp(`${LETTER}$`, "u");
const BEGINS_WITH_LETTER = new RegExp(`^${LETTER}`, "u");
/** Characters of an address: none that turns the direction of text. */
const ADDRESS = "[^\\s<>\"`\\u202a-\\u202e\\u2066-\\u2069]+";
/** An address without its scheme has a host of three names at least. */
const SHORT = /^www\.[^./?#:]+\.[^./?#:]/i;
/** Beginnings of parts. Each matches in a time that its own length bounds. */
const PARTS = new RegExp(
  [
    "```[^`\\n]+```|`[^`\\n]+`",
    `(?<![\\p{L}\\p{N}])https?://${ADDRESS}`,
    `(?<![\\p{L}\\p{N}./@:-])www\\.${ADDRESS}`,
    "(?<![\\w.+-])[\\w.+-]{1,64}@[a-z0-9-]{1,63}(?:\\.[a-z0-9-]{1,63}){1,8}(?![\\w@-])",
    "@",
    "\\*+",
    "_+",
    "\\n",
  ].join("|"),
  "giu",
);

/**
 * The parts of a text.
 *
 * @param {string} text
 * @param {Who} [who]
 * @returns {Part[]}
 */
export function parse(text, who = () => undefined) {
  const parts = new Parts(text, who);
  const lines = text.split("\n");
  let from = 0;
  let at = 0;
  // Once a block has no end, no further one is looked for.
  let blocks = text.includes(FENCE);
  for (let row = 0; row < lines.length; row++) {
    const begin = at;
    at += lines[row].length + 1;
    if (!blocks || !BLOCK.test(lines[row])) continue;
    const last = lines.indexOf(FENCE, row + 1);
    blocks = last > 0;
    if (last <= row + 1) continue;
    const code = lines.slice(row + 1, last).join("\n");
    parts.read(from, begin);
    parts.add("block", code);
    from = at += `${code}\n${FENCE}\n`.length;
    row = last;
  }
  parts.read(from, text.length);
  return parts.all;
}

/** Reads parts of a text, one after the other. */
class Parts {
  /** @type {Part[]} */
  all = [];
  #text;
  #who;
  #names = 0;
  /** @type {Map<Mark, number>} where marks are that may be the first of two, in `all`; in order */
  #open = new Map();

  /**
   * @param {string} text
   * @param {Who} who
   */
  constructor(text, who) {
    this.#text = text;
    this.#who = who;
  }

  /**
   * @param {Part["kind"]} kind
   * @param {string} text
   * @param {Partial<Part>} [more]
   */
  add(kind, text, more) {
    if (text) this.all.push({ kind, text, ...more });
  }

  /**
   * @param {number} from
   * @param {number} end
   */
  read(from, end) {
    const text = this.#text.slice(0, end);
    this.#open.clear();
    PARTS.lastIndex = from;
    for (let found = PARTS.exec(text); found; found = PARTS.exec(text)) {
      const { 0: all, index } = found;
      const part = this.#part(all, index, text);
      if (!part) continue;
      this.add("text", text.slice(from, index));
      from = PARTS.lastIndex = index + part.text.length;
      this.#put(part);
    }
    this.add("text", text.slice(from));
  }

  /** @param {Part} part */
  #put(part) {
    const { kind, mark, text } = part;
    if (kind === "open" && mark) {
      // A mark is text until its other half has come.
      this.#open.set(mark, this.all.length);
      this.add("text", text, { mark });
    } else if (kind === "close" && mark) {
      this.all[/** @type {number} */ (this.#open.get(mark))].kind = "open";
      // Marks between have none: they would cross.
      const later = [...this.#open.keys()];
      for (const each of later.slice(later.indexOf(mark))) this.#open.delete(each);
      this.all.push(part);
    } else if (kind === "code") {
      this.add(kind, text.replaceAll("`", ""));
    } else {
      this.all.push(part);
    }
  }

  /**
   * The part that begins here, as long as it is in the text; nothing, if that is text like the rest.
   *
   * @param {string} found
   * @param {number} at
   * @param {string} text
   * @returns {Part | undefined}
   */
  #part(found, at, text) {
    switch (found[0]) {
      case "\n":
        this.#open.clear();
        return undefined;
      case "`":
        return { kind: "code", text: found };
      case "*":
      case "_":
        return this.#mark(found, at, text);
      case "@":
        return this.#name(at, text);
      default:
        return this.#link(found, text[at - 1]);
    }
  }

  /**
   * @param {string} found
   * @param {number} at
   * @param {string} text
   * @returns {Part | undefined}
   */
  #mark(found, at, text) {
    if (!(found in TAGS)) return undefined;
    const mark = /** @type {Mark} */ (found);
    const [before, after] = around(text, at, at + found.length);
    const ends = /\S$/u.test(before) && !BEGINS_WITH_LETTER.test(after);
    const opened = this.#open.get(mark);
    if (ends && opened !== undefined) return { kind: "close", text: found, mark };
    const begins = /^\S/u.test(after) && !ENDS_WITH_LETTER.test(before) && !before.endsWith("\\");
    return begins && opened === undefined ? { kind: "open", text: found, mark } : undefined;
  }

  /**
   * @param {number} at of the sign before the name
   * @param {string} text
   * @returns {Part | undefined}
   */
  #name(at, text) {
    if (ENDS_WITH_LETTER.test(around(text, at, at)[0]) || this.#names >= MOST_NAMES) return undefined;
    this.#names++;
    const [line] = text.slice(at + 1, at + 1 + LONGEST_NAME).split("\n", 1);
    // The longest first: "@Ann Lee" does not call Ann.
    for (let end = line.length; end; end--) {
      const name = line.slice(0, end);
      const [before, after] = around(text, at + 1 + end, at + 1 + end);
      if (/\s$/u.test(before) || (ENDS_WITH_LETTER.test(before) && BEGINS_WITH_LETTER.test(after))) continue;
      const kind = this.#who(name);
      if (kind) return { kind, text: `@${name}` };
    }
    return undefined;
  }

  /**
   * @param {string} found
   * @param {string | undefined} before
   * @returns {Part | undefined}
   */
  #link(found, before) {
    const isShort = /^www\./i.test(found);
    if (!isShort && !/^https?:/i.test(found)) return { kind: "link", text: found, to: `mailto:${found}` };
    const address = withoutEnd(found, before);
    const to = isShort ? `https://${address}` : address;
    // A name before the host would make it look like another host.
    const isOne = URL.canParse(to) && !new URL(to).username && !new URL(to).password;
    return isOne && (!isShort || SHORT.test(address)) ? { kind: "link", text: address, to } : undefined;
  }
}

/**
 * The characters around a place.
 *
 * @param {string} text
 * @param {number} begin
 * @param {number} end
 */
const around = (text, begin, end) => [text.slice(Math.max(0, begin - 2), begin), text.slice(end, end + 2)];

/**
 * An address without what belongs to the sentence around it.
 *
 * @param {string} address
 * @param {string | undefined} before the character before it
 */
function withoutEnd(address, before) {
  let end = address.length;
  let open = 0;
  for (const each of address) open += each === "(" ? 1 : each === ")" ? -1 : 0;
  for (; end; end--) {
    const last = address[end - 1];
    if (last === ")" && open < 0) open++;
    else if (!/[.,:;!?'\]*]/.test(last) && !(last === "_" && before === "_")) break;
  }
  return address.slice(0, end);
}

/**
 * A message's text.
 *
 * @param {string} text
 * @param {Who} [who]
 */
export function words(text, who) {
  const made = element("p");
  made.dir = "auto";
  /** @type {HTMLElement[]} */
  const outer = [];
  /** @type {HTMLElement} */
  let inside = made;
  for (const part of parse(text, who)) {
    if (part.kind === "open" && part.mark) {
      outer.push(inside);
      for (const tag of TAGS[part.mark]) inside.append((inside = element(tag)));
    } else if (part.kind === "close") {
      inside = /** @type {HTMLElement} */ (outer.pop());
    } else {
      inside.append(shown(part));
    }
  }
  made.normalize();
  return made;
}

/** @param {Part} part */
function shown({ kind, text, to = "" }) {
  if (kind === "text") return text;
  const made = kind === "link" ? link(text, to) : kind === "me" ? element("mark", "", text) : apart(kind, text);
  // Text from right to left in it ends with it.
  made.dir = "auto";
  return made;
}

/**
 * @param {Part["kind"]} kind
 * @param {string} text
 */
const apart = (kind, text) => (kind === "other" ? element("span", "called", text) : element("code", kind, text));

/**
 * @param {string} text
 * @param {string} to
 */
function link(text, to) {
  const made = element("a", "", text);
  made.href = to;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow ugc";
  return made;
}

/**
 * A text as it is read, without its marks.
 *
 * @param {string} text
 */
export function plain(text) {
  const parts = parse(text).filter(({ kind }) => kind !== "open" && kind !== "close");
  return parts.map(({ kind, text: each }) => (kind === "block" ? `${each}\n` : each)).join("");
}

/**
 * Tell whether a text calls somebody.
 *
 * @param {string} text
 * @param {Who} who
 */
export const calls = (text, who) => text.includes("@") && parse(text, who).some(({ kind }) => kind === "me");
