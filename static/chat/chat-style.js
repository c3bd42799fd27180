/** Style sheets, made by a script: a page's policy may forbid those of other origins. */

/** The size of a rem in the style, which the page around may have made anything. */
const UNIT = "--livechat-rem";

/** @type {Record<string, CSSStyleSheet>} made once for all chats of a page */
const sheets = {};

/**
 * Make the sheets of a module of styles.
 *
 * @param {Readonly<Record<string, string>>} styles their texts, by their names
 */
export const sheetsOf = (styles) => Object.entries(styles).map(([name, text]) => (sheets[name] ??= made(text)));

/** @param {string} text */
function made(text) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text.replace(/(-?[\d.]+)rem\b/g, `calc($1 * var(${UNIT}))`));
  return sheet;
}

try {
  CSS.registerProperty({ name: UNIT, syntax: "<length>", inherits: true, initialValue: "16px" });
} catch {
  // Another copy of this has registered it before, or there is no browser.
}
