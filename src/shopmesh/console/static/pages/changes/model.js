// What a change says, read for people. Pure.

/** How a change came in, in words. */
export const DOORS = {
  api: "API",
  console: "console",
  kubernetes: "Kubernetes",
  canary: "canary",
  proxy: "proxy",
  start: "start",
};

/** Whether all that changed are proxies that came or went. */
export const isOfProxies = (change) =>
  change.door === "proxy" || (change.resources.length > 0 && change.resources.every((text) => text.startsWith("proxy ")));

/** Whether a change concerns a mesh: `route shop/…`, `mesh shop`, `proxy p of virtualNode shop/…`; changes of nothing do. */
export const inMesh = (change, mesh) =>
  change.resources.length === 0 ||
  change.resources.some((text) => {
    const path = text.replace(/^proxy .* of /, "").replace(/^\w+ /, "");
    return path === mesh || path.startsWith(`${mesh}/`);
  });

/** How many proxies have acknowledged a change, of all that it concerns. */
export function progress({ proxies }) {
  const times = Object.values(proxies);
  return { done: times.filter((time) => time !== null).length, all: times.length };
}

/** The proxies of a change: [{instance, time in milliseconds or null}], the slowest first, before it those that wait. */
export const byTime = ({ proxies }) =>
  Object.entries(proxies)
    .map(([instance, time]) => ({ instance, time }))
    .sort((one, other) => (other.time ?? Infinity) - (one.time ?? Infinity) || one.instance.localeCompare(other.instance));
