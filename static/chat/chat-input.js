/** Differences in how one writes: a keyboard on the screen, input methods, and files that one would like to send. */

/** Tell whether one writes with a keyboard on the screen, as far as a page can know. */
export const onScreen = () => matchMedia("(hover: none) and (pointer: coarse)").matches;

/**
 * Tell whether a key is an input method's own. Safari sends 229 for the key that ends a composition, and says that
 * there is none any more.
 *
 * @param {KeyboardEvent} event
 */
export const composes = ({ isComposing, keyCode }) => isComposing || keyCode === 229;

/**
 * Answer files that are pasted or dropped; the browser would go to the latter, away from the chat.
 *
 * @param {HTMLElement} place
 * @param {() => void} refuse
 */
export function refuseFiles(place, refuse) {
  /** @type {(event: Event, data: DataTransfer | null) => void} */
  const look = (event, data) => {
    const types = data?.types ?? [];
    // A table is copied as text, and as a picture too.
    if (!types.includes("Files") || (event.type === "paste" && types.includes("text/plain"))) return;
    event.preventDefault();
    if (event.type !== "dragover") refuse();
  };
  place.addEventListener("paste", (event) => look(event, event.clipboardData));
  place.addEventListener("dragover", (event) => look(event, event.dataTransfer));
  place.addEventListener("drop", (event) => look(event, event.dataTransfer));
}
