/**
 * People's names: where two look alike, both have a tag, the beginning of the person's id.
 *
 *     Ann ✓ ·42               verified: the site vouches for her
 *     ＡＮＮ ·q0aT
 *     Bo ✓ [vip] ·43          a badge, of those that the site gives its users
 *     Operator [operator]     whose badge nobody else gets
 *
 * @import { User } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { element } from "./dom.js";

/** Characters of an id in a tag; or twice, three times as many, where ids begin alike. */
const TAG = 4;
/** Names of people that are remembered, whether or not they are shown still. */
const MOST = 5_000;
const UNSEEN = /[\p{Cc}\p{Z}\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffb]/gu;
const SEEN = /[^\p{Cc}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffb]/u;

/**
 * People whose names look alike, and how much of their ids tells them apart.
 *
 * @typedef {{ ids: Set<string>, length: number }} Namesakes
 */

/** The server's own name for operators. */
const OPERATOR = "Operator";

export class Names {
  /** The name by which the visitor is called, at the moment. */
  mine = () => "";
  #t;
  /** Names that the pages give to people. */
  #own;
  #frame;
  /** @type {Map<string, Namesakes>} by how their names look */
  #known = new Map();
  #count = 0;
  /** @type {Set<string>} looks of which there is another person since tags were set */
  #changed = new Set();

  /**
   * @param {Texts} t
   * @param {ParentNode} frame in which names are shown
   */
  constructor(t, frame) {
    this.#t = t;
    this.#own = new Set([t("you"), t("somebody"), OPERATOR].map(look));
    this.#frame = frame;
  }

  /**
   * A name that does not change the direction of what stands around it.
   *
   * @param {User | undefined} user
   */
  show(user) {
    const made = element("span", "name", element("bdi", "", user?.name ?? this.#t("somebody")));
    if (user?.verified) made.append(" ", check(this.#t));
    if (user?.role) made.append(" ", element("small", "badge", user.role));
    // An operator is known by the badge.
    if (user && (user.verified || !user.role)) {
      made.dataset.look = look(user.name);
      made.dataset.id = tagged(user);
      this.#know(made.dataset.look, made.dataset.id);
      this.#tag(made.dataset.look, [made]);
    }
    return made;
  }

  /**
   * Find the people with this name, among those that are known.
   *
   * @param {string} name
   * @returns {"me" | "other" | undefined}
   */
  who = (name) => {
    const looks = look(name);
    if (!looks) return undefined;
    if (looks === look(this.mine())) return "me";
    return this.#known.has(looks) ? "other" : undefined;
  };

  /**
   * @param {string} name as it looks
   * @param {string} id
   */
  #know(name, id) {
    if (this.#known.get(name)?.ids.has(id)) return;
    if (this.#count >= MOST) this.#forget();
    this.#remember(name, id);
    // Names that are made together are all in the page by the microtask.
    if (!this.#changed.size) queueMicrotask(() => this.#tagShown());
    this.#changed.add(name);
  }

  /**
   * @param {string} name as it looks
   * @param {string} id
   */
  #remember(name, id) {
    // A name that the page's own texts use for people counts as taken from the beginning.
    const { ids } = this.#known.get(name) ?? { ids: new Set(this.#own.has(name) ? [""] : []) };
    ids.add(id);
    this.#known.set(name, { ids, length: tagLength([...ids]) });
    this.#count++;
  }

  /** Remember only those that are shown. */
  #forget() {
    this.#known.clear();
    this.#count = 0;
    for (const { dataset } of this.#shown()) this.#remember(dataset.look ?? "", dataset.id ?? "");
  }

  #shown() {
    return /** @type {HTMLElement[]} */ ([...this.#frame.querySelectorAll("[data-look]")]);
  }

  #tagShown() {
    const changed = [...this.#changed].filter((each) => this.#isAmbiguous(each));
    this.#changed.clear();
    if (!changed.length) return;
    const shown = this.#shown();
    for (const name of changed) this.#tag(name, shown.filter(({ dataset }) => dataset.look === name));
  }

  /** @param {string} name as it looks */
  #isAmbiguous(name) {
    return (this.#known.get(name)?.ids.size ?? 0) > 1;
  }

  /**
   * @param {string} name as it looks
   * @param {HTMLElement[]} shown where it is
   */
  #tag(name, shown) {
    if (!this.#isAmbiguous(name)) return;
    const length = this.#known.get(name)?.length;
    for (const made of shown) {
      const { id = "" } = made.dataset;
      const tag = made.querySelector(".tag") ?? element("small", "tag");
      tag.textContent = `·${id.slice(0, length)}`;
      tag.setAttribute("title", id.trimEnd());
      if (!tag.isConnected) made.append(" ", tag);
    }
  }
}

/**
 * The mark of a user for whom the site vouches.
 *
 * @param {Texts} t
 */
function check(t) {
  const mark = element("small", "verified", "✓");
  mark.setAttribute("role", "img");
  mark.setAttribute("aria-label", t("verified"));
  mark.title = t("verified.why");
  return mark;
}

/**
 * The name of a user that no other has. An id alone is none: a site's users may choose theirs, and a guest's is public.
 *
 * @param {User} user
 */
export const subject = ({ id, verified }) => `${verified ? "u" : "g"}:${id}`;

/**
 * @param {User | null | undefined} one
 * @param {User | null | undefined} other
 */
export const isSame = (one, other) => Boolean(one && other && subject(one) === subject(other));

/**
 * An id as tags show it: a verified user and a guest never have the same, and no id ends in a blank.
 *
 * @param {User} user
 */
const tagged = ({ id, verified }) => (verified ? `${id} ` : id);

/**
 * Names that look alike are the same so: in compatible letters of one case, without what nobody sees
 * (docs/protocol.md, Users).
 *
 * @param {string} name
 */
export function look(name) {
  const seen = name.normalize("NFKC").replace(UNSEEN, "");
  // From either case to the other and back: ẞ, ß and SS are one only so.
  return seen.toLowerCase().toUpperCase().toLowerCase().normalize("NFKC");
}

/**
 * Count the characters that tell different ids apart.
 *
 * @param {string[]} ids
 */
export function tagLength(ids) {
  let length = TAG;
  while (new Set(ids.map((id) => id.slice(0, length))).size < ids.length) length += TAG;
  return length;
}

/**
 * Tell if a text has a visible character.
 *
 * @param {string} text
 */
export const isSeen = (text) => SEEN.test(text);
