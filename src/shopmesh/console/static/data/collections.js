// What the stream says, by collection and ID. Pure: nothing here knows of the page or of time.
// The shapes of the documents are in live/collections.py of the control plane.

export const NAMES = [
  "meshes",
  "nodes",
  "services",
  "routes",
  "gatewayRoutes",
  "figures",
  "flows",
  "proxies",
  "canaries",
  "findings",
  "changes",
];

/** The ID of the parts of a name: `idOf("shopmesh", "product-vr", "product-r")`. */
export const idOf = (...parts) => parts.map(encodeURIComponent).join("/");

/** The parts of an ID. */
export const partsOf = (id) => id.split("/").map(decodeURIComponent);

export const nothing = () => Object.fromEntries(NAMES.map((name) => [name, new Map()]));

/**
 * The collections after an event: {NAME: Map of documents by ID}. Those that it does not change stay the same objects.
 * An event holds all (`collections`) or what changed (`set`, `delete`).
 */
export function apply(collections, event) {
  const after = { ...collections };
  for (const name of NAMES) {
    if (event.collections) after[name] = new Map(Object.entries(event.collections[name] ?? {}));
    else if (event.set?.[name] || event.delete?.[name]) after[name] = changed(collections[name], event, name);
  }
  return after;
}

function changed(before, event, name) {
  const documents = new Map(before);
  for (const [id, document] of Object.entries(event.set?.[name] ?? {})) documents.set(id, document);
  for (const id of event.delete?.[name] ?? []) documents.delete(id);
  return documents;
}

/** The collections as an event that holds all. */
export const whole = (collections) => ({
  collections: Object.fromEntries(NAMES.map((name) => [name, Object.fromEntries(collections[name])])),
});
