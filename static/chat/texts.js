/**
 * The texts of the chat and the pages, in the language of the page, of the element, or of the browser.
 *
 * A language is two modules of its own, which are loaded when they are needed. docs/browser.md says
 * how to add one. Times, numbers and plurals are the browser's own (`Intl`).
 *
 *     const t = await textsFor(element);
 *     t("composer.send")                       a text
 *     t("room.newer", { count: 5 })            with a number, which chooses the plural's form
 *     t.nodes("typing.one", { name: made })    with elements in it
 *     t.time(ms), t.moment(ms), t.date(ms, { month: "long" }), t.number(12345)
 */

/** @typedef {keyof typeof import("./texts-en.js").default | keyof typeof import("./texts-en-more.js").default} Key */
/** @typedef {string | ({ other: string } & Partial<Record<Intl.LDMLPluralRule, string>>)} Text */
/** @typedef {Record<Key, Text>} Catalogue */
/** @typedef {Record<keyof typeof import("./texts-en.js").default, Text>} First the texts that are needed first */
/** @typedef {Record<keyof typeof import("./texts-en-more.js").default, Text>} More those that come later */
/** @typedef {ReturnType<typeof speak>} Texts */

/** Each language, by its tag in lower case: the texts that are needed first, and those that come later. */
const LANGUAGES = /** @type {Record<string, (() => Promise<{ default: Partial<Catalogue> }>)[]>} */ ({
  en: [() => import("./texts-en.js"), () => import("./texts-en-more.js")],
  de: [() => import("./texts-de.js"), () => import("./texts-de-more.js")],
});
const PLACE = /\{(\w+)\}/;
/** Attributes that `shape` may fill. */
const ATTRIBUTES = ["aria-label", "placeholder", "title"];

/**
 * The texts for an element: in the language that is given, else in that of the page around, else in the browser's.
 *
 * @param {Element} element
 * @param {string} [lang] a language tag
 * @param {Partial<Catalogue>} [own] texts to say instead of the catalogue's
 */
export async function textsFor(element, lang = "", own = {}) {
  const [language, locale] = choose([lang, langOf(element), ...navigator.languages]);
  const [first, later] = LANGUAGES[language];
  const { default: texts } = await first();
  const catalogue = /** @type {Catalogue} */ ({ ...texts, ...own });
  const more = async () => void Object.assign(catalogue, (await later()).default, own);
  return speak(catalogue, locale, more);
}

/**
 * The first language that there is, and how it is written where the visitor is.
 *
 * @param {readonly string[]} tags
 * @returns {[language: string, locale: string]}
 */
export function choose(tags) {
  for (const each of tags) {
    // As RFC 4647 looks a tag up: de-AT-1996, de-AT, de.
    for (let tag = each.toLowerCase(); tag; tag = tag.slice(0, Math.max(0, tag.lastIndexOf("-")))) {
      if (Object.hasOwn(LANGUAGES, tag)) return [tag, regional(each, tag)];
    }
  }
  return ["en", "en"];
}

/**
 * @param {string} asked
 * @param {string} language
 */
function regional(asked, language) {
  const near = [asked, ...navigator.languages].filter((each) => each.toLowerCase().startsWith(`${language}-`));
  // A page may have anything for a language.
  return near.find(isLocale) ?? language;
}

/** @param {string} tag */
function isLocale(tag) {
  try {
    return Boolean(new Intl.Locale(tag));
  } catch {
    return false;
  }
}

/** @param {Element} element */
function langOf(element) {
  for (let at = /** @type {Element | undefined} */ (element); at; ) {
    const found = at.closest("[lang]");
    if (found) return found.getAttribute("lang") ?? "";
    const root = at.getRootNode();
    at = root instanceof ShadowRoot ? root.host : undefined;
  }
  return "";
}

/**
 * The function that says the texts of a catalogue.
 *
 * @param {Catalogue} catalogue which may grow
 * @param {string} locale for numbers, dates and plurals
 * @param {() => Promise<void>} [more] loads the texts that come later
 */
export function speak(catalogue, locale, more = async () => {}) {
  const plurals = new Intl.PluralRules(locale);
  const numbers = new Intl.NumberFormat(locale);
  /** @type {Map<string, Intl.DateTimeFormat>} */
  const formats = new Map();

  /**
   * @param {number} ms
   * @param {Intl.DateTimeFormatOptions} options
   */
  const date = (ms, options) => {
    const kind = JSON.stringify(options);
    const format = formats.get(kind) ?? new Intl.DateTimeFormat(locale, options);
    formats.set(kind, format);
    return format.format(ms);
  };
  /**
   * @param {Key} key
   * @param {Record<string, string | number | Node>} values
   */
  const nodes = (key, values) => {
    const text = catalogue[key];
    const form = typeof text === "string" ? text : (text[plurals.select(Number(values.count))] ?? text.other);
    const parts = form.split(PLACE).map((part, index) => (index % 2 ? values[part] : part));
    return parts.filter((part) => part !== "" && part !== undefined).map((part) => (typeof part === "number" ? numbers.format(part) : part));
  };
  /**
   * @param {Key} key
   * @param {Record<string, string | number>} [values]
   */
  const say = (key, values = {}) => nodes(key, values).join("");
  return Object.assign(say, {
    nodes,
    date,
    more,
    /** Tell whether there is a text with this key, which others have sent a part of. */
    has: /** @type {(key: string) => key is Key} */ ((key) => Object.hasOwn(catalogue, key)),
    locale,
    /** ltr, or rtl. */
    direction: String(catalogue.direction),
    number: (/** @type {number} */ number) => numbers.format(number),
    time: (/** @type {number} */ ms) => date(ms, { timeStyle: "short" }),
    moment: (/** @type {number} */ ms) => date(ms, { dateStyle: "medium", timeStyle: "medium" }),
  });
}

/**
 * Say the texts of new elements: `data-t="key"` is an element's own, `data-t-aria-label="key"` an attribute's.
 *
 * @template {ParentNode} T
 * @param {Texts} t
 * @param {T} root
 * @returns {T}
 */
export function fill(t, root) {
  const key = (/** @type {Element} */ each, name = "") => /** @type {Key} */ (each.getAttribute(`data-t${name}`));
  for (const each of root.querySelectorAll("[data-t]")) each.textContent = t(key(each));
  for (const name of ATTRIBUTES) {
    for (const each of root.querySelectorAll(`[data-t-${name}]`)) each.setAttribute(name, t(key(each, `-${name}`)));
  }
  return root;
}
