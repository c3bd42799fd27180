/** Differences in how one writes: a keyboard on the screen, and input methods. */

/** Tell whether one writes with a keyboard on the screen, as far as a page can know. */
export const onScreen = () => matchMedia("(hover: none) and (pointer: coarse)").matches;

/**
 * Tell whether a key is an input method's own. Safari sends 229 for the key that ends a composition, and says that
 * there is none any more.
 *
 * @param {KeyboardEvent} event
 */
export const composes = ({ isComposing, keyCode }) => isComposing || keyCode === 229;
