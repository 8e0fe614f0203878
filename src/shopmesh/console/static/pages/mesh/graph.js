// What the map shows, made of the mesh's documents: boxes (services with their versions, gateways, nodes that no
// service leads to, and the outside) and edges from caller to service. Pure.
//
//   box   {id, kind: "service" | "gateway" | "node" | "outside", name, space, wayIn, routes: [ID], rows: [{node, version}]}
//   edge  {id, from, to}: IDs of boxes

import { partsOf } from "../../data/collections.js";

export const OUTSIDE = "outside";
const NO_SPACE = "";

export const serviceBox = (name) => `service/${name}`;
export const gatewayBox = (name) => `gateway/${name}`;
export const nodeBox = (name) => `node/${name}`;
export const edgeId = (from, to) => `${from} > ${to}`;

/** The namespace part of a service's name: `default` of `product.default.svc.cluster.local`; empty where there is none. */
export const spaceOf = (name) => name.split(".")[1] ?? NO_SPACE;

function serviceBoxes(services, routes, nodes) {
  const boxes = new Map();
  for (const { name } of services.values()) {
    const box = { id: serviceBox(name), kind: "service", name, space: spaceOf(name), wayIn: false, routes: [], rows: [] };
    boxes.set(box.id, box);
  }
  for (const [id, route] of routes) {
    const box = boxes.get(serviceBox(route.virtualService ?? ""));
    if (!box) continue;
    box.routes.push(id);
    for (const { virtualNode } of route.targets) {
      if (box.rows.some((row) => row.node === virtualNode)) continue;
      const node = nodes.get(virtualNode);
      box.rows.push({ node: virtualNode, version: node?.version ?? null });
      box.wayIn ||= Boolean(node?.wayIn);
    }
  }
  return boxes;
}

/** The box from which a node's calls leave: that of the first service with it, else one of its own. */
function homes(boxes, nodes) {
  const found = new Map();
  for (const box of boxes.values()) {
    for (const { node } of box.rows) if (!found.has(node)) found.set(node, box.id);
  }
  for (const [name, node] of nodes) {
    if (found.has(name)) continue;
    const rows = [{ node: name, version: node.version }];
    const box = { id: nodeBox(name), kind: "node", name, space: NO_SPACE, wayIn: node.wayIn, routes: [], rows };
    boxes.set(box.id, box);
    found.set(name, box.id);
  }
  return found;
}

function gatewayBoxes(boxes, gateways) {
  for (const name of gateways) {
    const rows = [{ node: name, version: null }];
    const box = { id: gatewayBox(name), kind: "gateway", name, space: NO_SPACE, wayIn: true, routes: [], rows };
    boxes.set(box.id, box);
  }
}

/** Where a flow comes from and goes to, as IDs of boxes; null where one of them is unknown. The graph remembers it. */
export function endsOf(flowId, graph) {
  if (!graph.ends.has(flowId)) graph.ends.set(flowId, findEnds(flowId, graph));
  return graph.ends.get(flowId);
}

function findEnds(flowId, graph) {
  const [, callerKind, caller, service, node] = partsOf(flowId);
  const to = graph.boxes.has(serviceBox(service)) ? serviceBox(service) : graph.home.get(node);
  const from = callerKind === "-" ? OUTSIDE : callerKind === "virtualGateway" ? gatewayBox(caller) : graph.home.get(caller);
  return to && from && from !== to ? { from, to, node } : { from: null, to: to ?? null, node };
}

function addEdge(graph, from, to) {
  if (from !== to && graph.boxes.has(from) && graph.boxes.has(to)) graph.edges.set(edgeId(from, to), { id: edgeId(from, to), from, to });
}

/** The names of documents of a kind, with the documents. */
const byName = (nodes, kind) => new Map([...nodes.values()].filter((node) => node.kind === kind).map((node) => [node.name, node]));

/** {boxes: Map, edges: Map, home: Map of box ID by node, ends: Map of a flow's ends}, of one mesh's collections. */
export function buildGraph({ nodes, services, routes, gatewayRoutes, flows }) {
  const virtualNodes = byName(nodes, "virtualNode");
  const boxes = serviceBoxes(services, routes, virtualNodes);
  const graph = { boxes, edges: new Map(), home: homes(boxes, virtualNodes), ends: new Map() };
  gatewayBoxes(boxes, byName(nodes, "virtualGateway").keys());
  if ([...boxes.values()].some(({ wayIn }) => wayIn) || [...flows.keys()].some((id) => partsOf(id)[1] === "-")) {
    boxes.set(OUTSIDE, { id: OUTSIDE, kind: "outside", name: "outside", space: NO_SPACE, wayIn: true, routes: [], rows: [] });
  }
  for (const [name, node] of virtualNodes) {
    for (const service of node.backends) addEdge(graph, graph.home.get(name), serviceBox(service));
  }
  for (const route of gatewayRoutes.values()) addEdge(graph, gatewayBox(route.gateway), serviceBox(route.virtualService));
  for (const box of [...boxes.values()]) if (box.wayIn && box.id !== OUTSIDE) addEdge(graph, OUTSIDE, box.id);
  for (const id of flows.keys()) {
    const { from, to } = endsOf(id, graph);
    if (from) addEdge(graph, from, to);
  }
  return graph;
}

/** A text that differs when boxes, versions or edges do: while it is the same, nothing moves. */
export function shapeOf({ boxes, edges }) {
  const rows = [...boxes.values()].map((box) => `${box.id} ${box.rows.length}`);
  return `${rows.sort().join("\n")}\n\n${[...edges.keys()].sort().join("\n")}`;
}
