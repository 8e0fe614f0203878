// The address holds the state of the page: `#/traffic?mesh=shopmesh&service=product`. A link shows the same again.

import { computed, signal } from "../lib.js";

const FIRST_PAGE = "mesh";

/** `#/page?name=value` as {page, parameters}; anything else is the first page. */
export function parse(hash) {
  const [, page, query] = /^#\/([a-z]+)(?:\?(.*))?$/.exec(hash) ?? [];
  return { page: page ?? FIRST_PAGE, parameters: Object.fromEntries(new URLSearchParams(query ?? "")) };
}

/** The address of a page. Parameters that are null, undefined or empty are left out. */
export function href(toPage, toParameters = {}) {
  const query = new URLSearchParams(
    Object.entries(toParameters).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  ).toString();
  return `#/${toPage}${query ? `?${query}` : ""}`;
}

const address = signal(parse(location.hash));
addEventListener("hashchange", () => (address.value = parse(location.hash)));
addEventListener("popstate", () => (address.value = parse(location.hash)));

/** The page that is shown, as an ID of pages/index.js. */
export const page = computed(() => address.value.page);
/** What the address says after the `?`: text by name. */
export const parameters = computed(() => address.value.parameters);

/** Go to a page; the browser's Back returns. The chosen mesh goes along unless `toParameters` names another. */
export function go(toPage, toParameters = {}) {
  history.pushState(null, "", href(toPage, { mesh: parameters.peek().mesh, ...toParameters }));
  address.value = parse(location.hash);
}

/** Change parameters of the page that is shown, without a step in the browser's history: {name: value or null}. */
export function change(changed) {
  history.replaceState(null, "", href(page.peek(), { ...parameters.peek(), ...changed }));
  address.value = parse(location.hash);
}
