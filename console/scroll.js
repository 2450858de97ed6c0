// Where the reader was on a page, so that going back leads there again.

/** Milliseconds in which a page becomes as long as it was. */
const LONGEST = 15_000;

const places = new Map();
let entry = null;
let wanted = null;

/** A page is being opened: remember where the last one was scrolled to, and whether this one was seen. */
export function opened() {
  entry = history.state?.entry ?? null;
  if (entry === null) {
    entry = String(Math.random());
    history.replaceState({ entry }, "");
  }
  wanted = places.has(entry) ? { y: places.get(entry), until: Date.now() + LONGEST } : null;
  scrollTo(0, 0);
}

/** The page has drawn something: it may be long enough now. */
export function drawn() {
  if (wanted === null) return;
  if (Date.now() > wanted.until) wanted = null;
  else if (document.documentElement.scrollHeight - innerHeight >= wanted.y) {
    scrollTo(0, wanted.y);
    wanted = null;
  }
}

addEventListener("scroll", () => {
  // While a place is still wanted, the page is only too short for it.
  if (entry !== null && wanted === null) places.set(entry, scrollY);
}, { passive: true });
for (const act of ["wheel", "touchmove", "keydown"]) {
  // Who moves by themselves is not taken elsewhere.
  addEventListener(act, () => (wanted = null), { passive: true });
}
// The browser's own attempt would come before the page has its content.
history.scrollRestoration = "manual";
