/**
 * An element that is there.
 *
 * @template {HTMLElement} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {{ new (): T }} [kind] what it is
 * @returns {T}
 */
export function find(root, selector, kind) {
  const found = root.querySelector(selector);
  if (!(found instanceof (kind ?? HTMLElement))) throw new Error(`There is no ${selector}.`);
  return /** @type {T} */ (found);
}

/**
 * A new element.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [className]
 * @param {...(Node | string)} content texts stay texts
 */
export function element(tag, className = "", ...content) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
}

/** @type {{ createHTML: (html: string) => string }} which a page's policy may ask for by this name */
const policy =
  /** @type {any} */ (globalThis).trustedTypes?.createPolicy("livechat", {
    createHTML: (/** @type {string} */ html) => html,
  }) ?? { createHTML: (html) => html };

/**
 * Make elements from HTML, which must be a script's own and nobody else's.
 *
 * @param {string} html
 */
export function shape(html) {
  const template = document.createElement("template");
  // Space between tags would be shown where the style keeps the lines of a message.
  template.innerHTML = policy.createHTML(html.replace(/\n\s*/g, ""));
  return template.content;
}
