// Which part of the graph is shown: groups, filter, or one service with its neighbours. Pure.

import { OUTSIDE, edgeId } from "./graph.js";

/** From so many services on the map begins with groups. */
export const GROUPS_FROM = 150;
export const groupBox = (space) => `group/${space}`;

/** Whether the map groups: as the address says ("yes", "no"), else by size; never where there is one namespace only. */
export function isGrouped(graph, asked) {
  const services = [...graph.boxes.values()].filter(({ kind }) => kind === "service");
  if (new Set(services.map(({ space }) => space)).size < 2) return false;
  return asked ? asked === "yes" : services.length >= GROUPS_FROM;
}

/** The boxes of `ids`, and the edges between them. */
function part(graph, ids) {
  const edges = [...graph.edges.values()].filter(({ from, to }) => ids.has(from) && ids.has(to));
  return {
    ...graph,
    boxes: new Map([...graph.boxes].filter(([id]) => ids.has(id))),
    edges: new Map(edges.map((edge) => [edge.id, edge])),
  };
}

/** A box with all that calls it and all that it calls. */
export function neighbourhood(graph, id) {
  const ids = new Set([id]);
  for (const { from, to } of graph.edges.values()) {
    if (from === id) ids.add(to);
    if (to === id) ids.add(from);
  }
  return part(graph, ids);
}

/** The boxes that `wanted` accepts, and the outside if an edge leads from it to one of them. */
export function filtered(graph, wanted) {
  const ids = new Set([...graph.boxes.values()].filter((box) => box.id !== OUTSIDE && wanted(box)).map(({ id }) => id));
  if ([...graph.edges.values()].some(({ from, to }) => from === OUTSIDE && ids.has(to))) ids.add(OUTSIDE);
  return part(graph, ids);
}

/**
 * Services of a namespace as one box, but those of the namespaces in `open`: {…graph, boxes, edges, shownAs: Map}.
 * `shownAs` says for each box of the graph which box shows it.
 */
export function grouped(graph, open) {
  const [boxes, edges, shownAs] = [new Map(), new Map(), new Map()];
  for (const box of graph.boxes.values()) {
    if (box.kind !== "service" || open.has(box.space)) {
      boxes.set(box.id, box);
      shownAs.set(box.id, box.id);
      continue;
    }
    const id = groupBox(box.space);
    shownAs.set(box.id, id);
    const group = boxes.get(id) ?? { id, kind: "group", name: box.space || "no namespace", space: box.space, wayIn: false, routes: [], rows: [], members: [] };
    group.members.push(box);
    group.wayIn ||= box.wayIn;
    boxes.set(id, group);
  }
  for (const edge of graph.edges.values()) {
    const [from, to] = [shownAs.get(edge.from), shownAs.get(edge.to)];
    if (from !== to) edges.set(edgeId(from, to), { id: edgeId(from, to), from, to });
  }
  return { ...graph, boxes, edges, shownAs };
}
