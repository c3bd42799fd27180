/**
 * Keeps the page as high as what is seen of it, beside a keyboard on the screen.
 *
 * Most browsers do that as the page's `interactive-widget` says. Safari lays its keyboard over the page,
 * and moves the page up instead.
 */

const HEIGHT = "--seen-height";

export function followKeyboard() {
  const seen = globalThis.visualViewport;
  if (!seen) return;
  const { documentElement: page } = document;
  const fit = () => {
    // A page that was enlarged shows only a part, too.
    const covered = Math.abs(seen.scale - 1) < 0.01 && seen.height < innerHeight - 1;
    if (covered) page.style.setProperty(HEIGHT, `${seen.height}px`);
    else page.style.removeProperty(HEIGHT);
    if (covered) scrollTo(0, 0);
  };
  seen.addEventListener("resize", fit);
}
