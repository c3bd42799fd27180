/**
 * The line that says how the connection is, where it is not there.
 *
 * @import { Composer } from "./chat-composer.js"
 * @import { StateChange } from "./livechat.js"
 * @import { Texts } from "./texts.js"
 */

import { find } from "./dom.js";

/**
 * Say how the connection is, where it is not there.
 *
 * @param {Texts} t
 * @param {HTMLElement} frame
 * @param {StateChange} change
 * @param {Composer} composer
 * @param {boolean} [nobody] whether the visitor is no longer signed in on the site
 */
export function banner(t, frame, { state, code, reason }, composer, nobody = false) {
  const place = find(frame, ".banner");
  const button = find(place, "button");
  const been = place.dataset.been;
  const lost = t(been ? "banner.lost" : "banner.away");
  const unknown = t(nobody ? "banner.signed-out" : "banner.unknown");
  const waiting = { 4100: unknown, 4403: t("banner.origin") }[code ?? 0] ?? lost;
  const text = { connecting: been ? lost : t("banner.connecting"), waiting, open: "", closed: "" }[state];
  if (state !== "waiting" && button.matches(":focus")) composer.focus();
  place.hidden = !text;
  place.title = reason ?? "";
  find(place, "span").textContent = text;
  button.hidden = state !== "waiting";
  const status = find(frame, "[role=status]");
  const told = state === "open" && been ? t("banner.connected") : text;
  if (status.textContent !== told) status.textContent = told;
  if (state === "open") place.dataset.been = "here";
}
