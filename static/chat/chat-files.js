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
