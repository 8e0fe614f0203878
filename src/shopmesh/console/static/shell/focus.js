// The focus stays on the page when what has it is taken away or disabled: who uses keys alone would begin again.

/** Milliseconds in which the page may move the focus itself, or enable again what it disabled. */
const WAIT = 100;

/** The elements around one that can have the focus, from the inside to the outside. */
function around(element) {
  const found = [];
  for (let one = element; one; one = one.parentElement?.closest("[tabindex]")) found.push(one);
  return found;
}

/** Keep the focus inside `page`, which can have it itself; returns a function that ends it. */
export function keepFocus(page) {
  let places = [];
  const note = ({ target }) => (places = around(target));
  const isUsable = (element) => element.isConnected && !element.disabled;
  const keep = () => document.activeElement === document.body && places.find(isUsable)?.focus({ preventScroll: true });
  const look = () => places.length > 0 && !isUsable(places[0]) && setTimeout(keep, WAIT);
  const changes = new MutationObserver(look);
  page.addEventListener("focusin", note);
  changes.observe(page, { childList: true, subtree: true, attributeFilter: ["disabled"] });
  return () => {
    page.removeEventListener("focusin", note);
    changes.disconnect();
  };
}
