// Resources as addresses and in words: their kinds, their pages, and what texts of the control plane name.

import { href } from "./address.js";
import { idOf } from "./collections.js";

/** All kinds, in the order in which they are created, with their names for people. */
export const KINDS = {
  mesh: "mesh",
  virtualNode: "virtual node",
  virtualRouter: "virtual router",
  route: "route",
  virtualService: "virtual service",
  virtualGateway: "virtual gateway",
  gatewayRoute: "gateway route",
};

/** The name below the mesh: `product-vr/product-r`; of a mesh its own. */
export const nameOf = ([mesh, ...names]) => names.join("/") || mesh;

/** The address of the page of a resource; `path` are its names, the mesh first. */
export const resourceHref = (kind, path) => href("resources", { mesh: path[0], resource: [kind, ...path.slice(1)].join("/") });

/** The address of the page of a proxy. */
export const proxyHref = (mesh, kind, name, instance) => href("proxies", { mesh, proxy: [kind, name, instance].join("/") });

/** What the parameter `resource` names, or null: {kind, path}. */
export function parseResource(mesh, text) {
  const [kind, ...names] = (text ?? "").split("/");
  return kind in KINDS && mesh ? { kind, path: [mesh, ...names] } : null;
}

const PROXY = /^proxy (.+) of (virtualNode|virtualGateway) ([^/]+)\/(.+)$/;

/** A key in words, as changes and findings have it: {kind, path}, of kind `instance` for a proxy, or null. */
export function parseKey(text) {
  const proxy = PROXY.exec(text);
  if (proxy) return { kind: "instance", path: [proxy[3], proxy[2], proxy[4], proxy[1]] };
  const [, kind, path] = /^(\w+) (.+)$/.exec(text) ?? [];
  return kind in KINDS || kind === "canary" ? { kind, path: path.split("/") } : null;
}

/** The address of what a key names, or null: the page of a resource, of a proxy, or of the route that a canary is of. */
export function keyHref({ kind, path }) {
  if (kind === "instance" && path.length === 4) return proxyHref(...path);
  if (kind === "canary") return href("traffic", { mesh: path[0], route: path.slice(1).map(encodeURIComponent).join("/") });
  return kind in KINDS ? resourceHref(kind, path) : null;
}

/** The path of a resource's route of the control plane. */
export const resourcePath = ({ kind, path }) => `/shopmesh/v1/resources/${idOf(kind, ...path)}`;

const PARENTS = { route: ["virtualRouter"], gatewayRoute: ["virtualGateway"] };

/** A request of a transaction that deletes a resource, if it is still of this version. */
export function deletion({ kind, path, api }) {
  const lineage = kind === "mesh" ? ["mesh"] : ["mesh", ...(PARENTS[kind] ?? []), kind];
  const parameters = Object.fromEntries(lineage.map((one, index) => [`${one}Name`, path[index]]));
  const { version, uid } = api.metadata;
  return { operation: `Delete${kind[0].toUpperCase()}${kind.slice(1)}`, parameters, expect: { version, uid } };
}
