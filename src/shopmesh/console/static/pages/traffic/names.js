// How routes and versions are called, and how a version looks in every table and plot: its colour and its line.

import { html } from "../../lib.js";
import { href } from "../../data/address.js";
import { idOf } from "../../data/collections.js";
import { printable, shortName } from "../../data/format.js";
import { whole } from "../../data/mesh.js";

/** The address of a route's page; `route` names it below the mesh as in its ID: `product-vr/product-r`. */
export const linkTo = (id, { mesh, virtualService }) =>
  href("traffic", { mesh, service: virtualService, route: id.slice(id.indexOf("/") + 1) });

/** What a route is called: its service, or its router where none leads to it. */
export const titleOf = ({ virtualService, virtualRouter }) => printable(virtualService ? shortName(virtualService) : virtualRouter);

export const matchOf = ({ protocol, match }) => printable([protocol, match].filter(Boolean).join(" ")) || "all requests";

/** A target: {version that its node runs or null, node, with its port where the route names the node twice}. */
export function nameOf(mesh, { virtualNode, port }, among) {
  const version = whole("nodes").get(idOf(mesh, "virtualNode", virtualNode))?.version;
  const twice = port && among.filter((other) => other.virtualNode === virtualNode).length > 1;
  return { version: version ? printable(version) : null, node: printable(virtualNode) + (twice ? `:${port}` : "") };
}

export const Version = ({ name: { version, node } }) =>
  html`<bdi class="traffic-version">${version && html`<b>${version}</b> `}<span class=${version ? "muted" : ""}>${node}</span></bdi>`;

const LINES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [4, 2], [12, 4]];

export const dashOf = (index) => LINES[index % LINES.length];
export const colourOf = (index) => `traffic-series-${index % LINES.length}`;

/** The line of a version, as in the plots. */
export const Sample = ({ index }) =>
  html`<svg class=${`traffic-sample ${colourOf(index)}`} viewBox="0 0 30 6" aria-hidden="true"><path d="M1 3h28" stroke-dasharray=${dashOf(index).join(" ")} /></svg>`;
