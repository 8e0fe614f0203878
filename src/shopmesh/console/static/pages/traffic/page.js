// Traffic: all routes with the share that each version should get and gets, or one route, whose weights are moved here.

import { html } from "../../lib.js";
import { parameters } from "../../data/address.js";
import { inMesh, mesh } from "../../data/mesh.js";
import { RouteList } from "./list.js";
import { RoutePage } from "./route.js";

/** The ID of the route that the address names, by itself or by its service; null for the list. */
function chosen() {
  const { route, service } = parameters.value;
  if (!route && !service) return null;
  const [found] = route ? [] : ([...inMesh("routes").value].find(([, one]) => one.virtualService === service) ?? []);
  return found ?? `${encodeURIComponent(mesh.value)}/${route}`;
}

export function Page() {
  const id = chosen();
  return id === null ? html`<${RouteList} />` : html`<${RoutePage} key=${id} id=${id} />`;
}
