/**
 * The token by which the server knows a user of the site.
 *
 * The page's function gives one, whenever there is none that lasts. It is kept here, in memory, and
 * nowhere else.
 *
 *     none --asked for--> kept --ends soon, or was refused--> none
 */

// Milliseconds.

/** For the page's function to give a token. */
const ANSWER = 15_000;
/** No connection begins with a token that ends sooner. */
const SHORT = 30_000;
/** Between two times at which the page is asked for another one, however soon they end. */
const APART = 20_000;

/** As many characters as the server takes, and only those that a subprotocol and a header may have. */
const TOKEN = /^[\w.~-]{1,4096}$/;

export class Tokens {
  /** @type {string | undefined} */
  value;
  #ask;
  /** The token's end by the server's clock, and the milliseconds by which that clock is ahead. */
  #ends = 0;
  #ahead = 0;
  /** @type {string | undefined} a token that the server did not take any more */
  #refused;
  #asked = -APART;
  /** @type {Promise<void> | undefined} while the page is asked */
  #asking;
  #stop = () => {};

  /** @param {(() => string | Promise<string>) | undefined} ask the page's function, if it has one */
  constructor(ask) {
    this.#ask = ask;
  }

  /** True if the page gives tokens. */
  get given() {
    return this.#ask !== undefined;
  }

  /** True if the page has to be asked before a connection begins. */
  get isShort() {
    return this.given && !this.lasts(SHORT);
  }

  /** Milliseconds until the page may be asked again before it must be. */
  get wait() {
    return Math.max(0, this.#asked + APART - performance.now());
  }

  /** @param {number} least milliseconds that are left */
  lasts(least) {
    return this.value !== undefined && this.#ends - this.#ahead - Date.now() > least;
  }

  /**
   * Take the server's word for when it ends.
   *
   * @param {number | undefined} expires seconds since 1970
   * @param {number} ahead milliseconds by which the server's clock is ahead
   */
  know(expires, ahead) {
    this.#ahead = ahead;
    if (expires !== undefined) this.#ends = 1_000 * expires;
  }

  /** Ask the page for another one. Rejects if there is none in time, or only one that was refused. */
  renew() {
    this.#asking ??= this.#get().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #get() {
    this.#asked = performance.now();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const late = new Promise((_, reject) => {
      this.#stop = () => reject(new Error("The chat was left."));
      timer = setTimeout(() => reject(new Error("No token came in time.")), ANSWER);
    });
    try {
      const given = await Promise.race([late, (async () => this.#ask?.())()]);
      if (typeof given !== "string" || !TOKEN.test(given)) throw new Error("There is no token.");
      if (given === this.#refused) throw new Error("There is no other token than one that is over.");
      this.value = given;
      this.#ends = endOf(given);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Make the headers of a request, with a token that lasts. Rejects as `renew`. */
  async headers() {
    if (this.given && !this.lasts(0)) await this.renew();
    return this.header;
  }

  /** @returns {Record<string, string>} */
  get header() {
    return this.value ? { Authorization: `Bearer ${this.value}` } : {};
  }

  /** Drop the token, and remember not to bring it again: the server called it over. */
  refuse() {
    this.#refused = this.value ?? this.#refused;
    this.value = undefined;
  }

  /** Keep none, and ask for none any more. */
  forget() {
    this.#ask = undefined;
    this.value = this.#refused = undefined;
    this.#stop();
  }
}

/**
 * The text of an error, whatever was thrown.
 *
 * @param {unknown} error
 */
export function textOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Read the end of a token, in milliseconds since 1970. If that fails, the server tells it.
 *
 * @param {string} token
 */
function endOf(token) {
  try {
    const claims = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return 1_000 * JSON.parse(atob(claims)).exp || Infinity;
  } catch {
    return Infinity;
  }
}
