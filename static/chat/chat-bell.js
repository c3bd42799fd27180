/**
 * The bell: a sound and a notification for calls, where the visitor has switched them on, on this device.
 *
 * Browsers may have no notifications, or not allow them; some let pages make none but by a service worker. They
 * play no sound before the page has been touched. Each of that is said, or passed over; nothing fails by it.
 *
 * @import { Key, Texts } from "./texts.js"
 */

import { find } from "./dom.js";
import { Kept } from "./livechat-outbox.js";

const WHERE = "livechat:calls";
/** Milliseconds between two sounds. */
const APART = 3_000;
/** Hertz, and seconds of each. */
const TONES = [660, 880];
const LENGTH = 0.12;

/** @typedef {"sound" | "notification"} Way */

export class Bell {
  #t;
  #kept = new Kept("localStorage");
  #hint;
  /** @type {Record<Way, HTMLInputElement>} */
  #boxes;
  /** @type {AudioContext | undefined} */
  #audio;
  #rung = -Infinity;

  /**
   * @param {Texts} t
   * @param {HTMLElement} frame
   */
  constructor(t, frame) {
    this.#t = t;
    const place = find(frame, ".calls-by");
    this.#hint = find(place, ".hint");
    this.#boxes = {
      sound: find(place, "[name=sound]", HTMLInputElement),
      notification: find(place, "[name=notification]", HTMLInputElement),
    };
    for (const way of /** @type {Way[]} */ (["sound", "notification"])) {
      const box = this.#boxes[way];
      box.checked = this.#wants(way) && (way === "sound" || isAllowed());
      box.addEventListener("change", () => this.#switch(way, box.checked));
    }
    // A page that was loaded anew may play nothing until it has been touched.
    for (const type of ["pointerdown", "keydown"]) {
      frame.addEventListener(type, () => this.#wants("sound") && this.#wake(), { passive: true });
    }
  }

  /** @param {Way} way */
  #wants(way) {
    // Another tab may have switched it.
    return (this.#kept.get(WHERE) ?? "").split(" ").includes(way);
  }

  /**
   * @param {Way} way
   * @param {boolean} on
   */
  async #switch(way, on) {
    const problem = on && (way === "sound" ? this.#trySound() : await this.#tryNotification());
    const others = (this.#kept.get(WHERE) ?? "").split(" ").filter((each) => each && each !== way);
    this.#kept.set(WHERE, [...others, ...(on && !problem ? [way] : [])].join(" "));
    this.#boxes[way].checked = on && !problem;
    this.#hint.textContent = problem ? this.#t(problem) : "";
    this.#hint.hidden = !problem;
  }

  /** @returns {Key | undefined} the problem */
  #trySound() {
    if (!this.#wake()) return "calls.no-sound";
    this.#sound();
    return undefined;
  }

  /** @returns {Promise<Key | undefined>} the problem */
  async #tryNotification() {
    if (typeof Notification === "undefined") return "calls.no-notifications";
    const allowed = await Notification.requestPermission().catch(() => "denied");
    if (allowed !== "granted") return "calls.denied";
    return this.#notify(this.#t("calls.will-be"), "", WHERE, () => {}) ? undefined : "calls.no-notifications";
  }

  /**
   * @param {string} title
   * @param {string} text
   * @param {string} tag of which there is one notification at a time
   * @param {() => void} choose
   */
  ring(title, text, tag, choose) {
    if (this.#wants("notification") && isAllowed()) this.#notify(title, text, tag, choose);
    if (!this.#wants("sound") || performance.now() - this.#rung < APART) return;
    this.#rung = performance.now();
    this.#wake();
    this.#sound();
  }

  /**
   * @param {string} title
   * @param {string} body
   * @param {string} tag
   * @param {() => void} choose
   */
  #notify(title, body, tag, choose) {
    try {
      const made = new Notification(title, { body, tag, dir: "auto", lang: this.#t.locale });
      made.addEventListener("click", () => {
        made.close();
        focus();
        choose();
      });
      return true;
    } catch {
      // Chrome on Android has none without a service worker.
      return false;
    }
  }

  #wake() {
    try {
      this.#audio ??= new AudioContext();
      this.#audio.resume().catch(() => {});
    } catch {
      return false;
    }
    return true;
  }

  #sound() {
    const audio = this.#audio;
    // Sounds that are played while it is suspended would sound together, later.
    if (audio?.state !== "running") return;
    TONES.forEach((tone, index) => {
      const [source, volume] = [audio.createOscillator(), audio.createGain()];
      const begin = audio.currentTime + index * LENGTH;
      source.frequency.value = tone;
      volume.gain.setValueAtTime(0.15, begin);
      volume.gain.linearRampToValueAtTime(0, begin + LENGTH);
      source.connect(volume).connect(audio.destination);
      source.start(begin);
      source.stop(begin + LENGTH);
    });
  }
}

const isAllowed = () => typeof Notification !== "undefined" && Notification.permission === "granted";
