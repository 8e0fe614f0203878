// The map's state: the graph of the chosen mesh, the part of it that is shown, and the figures of each box and edge.

import { batch, computed, effect, signal, untracked } from "../../lib.js";
import { parameters } from "../../data/address.js";
import { inMesh } from "../../data/mesh.js";
import { boxFigures, groupFigures, proxyStates, traffic } from "./figures.js";
import { OUTSIDE, buildGraph, endsOf, edgeId, shapeOf } from "./graph.js";
import { filtered, grouped, isGrouped, neighbourhood } from "./selection.js";

/** A signal that changes only when the text of its value does: what depends on it rests meanwhile. */
function steady(compute, textOf) {
  let last;
  let lastText;
  return computed(() => {
    const value = compute();
    const text = textOf(value);
    if (text !== lastText) [last, lastText] = [value, text];
    return last;
  });
}

/** IDs of flows; which flows there are changes seldom, what they carry every second. */
const flowIds = steady(
  () => new Map([...inMesh("flows").value.keys()].map((id) => [id, null])),
  (ids) => [...ids.keys()].sort().join("\n"),
);

export const graph = computed(() =>
  buildGraph({
    nodes: inMesh("nodes").value,
    services: inMesh("services").value,
    routes: inMesh("routes").value,
    gatewayRoutes: inMesh("gatewayRoutes").value,
    flows: flowIds.value,
  }),
);

const found = computed(() => ({ ...traffic(inMesh("flows").value, graph.value), proxies: proxyStates(inMesh("proxies").value) }));
/** What comes in from outside: {rate, errors}. */
export const entering = computed(() => {
  const edges = [...found.value.edges].filter(([id]) => id.startsWith(edgeId(OUTSIDE, ""))).map(([, edge]) => edge);
  return { rate: edges.reduce((sum, { rate }) => sum + rate, 0), errors: edges.reduce((sum, { errors }) => sum + errors, 0) };
});
const documents = computed(() => ({ routes: inMesh("routes").value, figures: inMesh("figures").value }));

const figuresNow = (box) => boxFigures(box, documents.value, found.value);

/** The figures of every box of the whole graph: for the summary, the table, and filters by what is wrong. */
export const allFigures = computed(() => new Map([...graph.value.boxes.values()].map((box) => [box.id, figuresNow(box)])));

const wanted = {
  traffic: (box) => allFigures.value.get(box.id).rate > 0,
  wrong: (box) => allFigures.value.get(box.id).wrong.length > 0,
};

export const isGroups = computed(() => isGrouped(graph.value, parameters.value.group) && !parameters.value.focus && !filterText.value && !wanted[parameters.value.show]);
export const openGroups = computed(() => new Set((parameters.value.open ?? "").split(",").filter(Boolean)));
const filterText = computed(() => (parameters.value.q ?? "").trim().toLowerCase());

/** What focus and filters leave, before services become groups. */
function select() {
  let shown = graph.value;
  const { focus, show } = parameters.value;
  if (focus && shown.boxes.has(focus)) shown = neighbourhood(shown, focus);
  const text = filterText.value;
  if (text) shown = filtered(shown, ({ name, space }) => name.toLowerCase().includes(text) || space.toLowerCase() === text);
  if (wanted[show]) shown = filtered(shown, wanted[show]);
  return shown;
}

export const listed = steady(select, shapeOf);

/** The part of the graph that the map shows. */
export const shown = computed(() => (isGroups.value ? grouped(listed.value, openGroups.value) : listed.value));

const boxSignals = new Map();
const edgeSignals = new Map();
const signalOf = (signals, id) => {
  if (!signals.has(id)) signals.set(id, signal(null));
  return signals.get(id);
};
/** What a box or an edge says now, as signals of their own: only what changed is drawn again. */
export const figuresOfBox = (id) => signalOf(boxSignals, id);
export const trafficOfEdge = (id) => signalOf(edgeSignals, id);

function edgeTraffic(graphShown, edges) {
  if (!graphShown.shownAs) return edges;
  const sums = new Map();
  for (const [id, flow] of inMesh("flows").value) {
    const { from, to } = endsOf(id, graph.value);
    if (!from) continue;
    const shownId = edgeId(graphShown.shownAs.get(from), graphShown.shownAs.get(to));
    const sum = sums.get(shownId) ?? { rate: 0, errors: 0, p99: null };
    sums.set(shownId, { rate: sum.rate + flow[0], errors: sum.errors + flow[1], p99: flow[2] === null ? sum.p99 : Math.max(sum.p99 ?? 0, flow[2]) });
  }
  return sums;
}

/** Boxes and edges that are drawn in one go: drawing follows at the end of the task that sets their signals. */
const SLICE = 60;
let round = 0;

/** Set signals whose value changed, a few at a time, so that the page answers in between. */
function setInSlices(changes) {
  const mine = ++round;
  const next = () => {
    if (mine !== round) return;
    batch(() => {
      for (const [target, value] of changes.splice(0, SLICE)) target.value = value;
    });
    if (changes.length > 0) setTimeout(next);
  };
  next();
}

function refresh() {
  const { edges } = found.value;
  const current = shown.value;
  const byEdge = edgeTraffic(current, edges);
  const changes = [];
  const note = (target, value) => {
    if (JSON.stringify(target.peek()) !== JSON.stringify(value)) changes.push([target, value]);
  };
  for (const box of current.boxes.values()) {
    const figures = box.kind === "group" ? groupFigures(box.members, (one) => allFigures.value.get(one.id)) : allFigures.value.get(box.id);
    if (figures) note(figuresOfBox(box.id), figures);
  }
  for (const id of current.edges.keys()) note(trafficOfEdge(id), byEdge.get(id) ?? { rate: 0, errors: 0, p99: null });
  return changes;
}

/** Keep the figures of what is shown up to date; returns a function that ends it. */
export const followFigures = () =>
  effect(() => {
    const changes = refresh();
    untracked(() => setInSlices(changes));
  });
