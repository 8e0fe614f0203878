// The map's state: the graph of the chosen mesh, the part of it that is shown, and the figures of each box and edge.

import { computed, effect, signal, untracked } from "../../lib.js";
import { parameters } from "../../data/address.js";
import { inMesh } from "../../data/mesh.js";
import { QUIET, add, boxFigures, groupFigures, proxyStates, traffic } from "./figures.js";
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

/** The figures of every box of the whole graph: for the summary, the table, and filters by what is wrong. */
export const allFigures = computed(() => new Map([...graph.value.boxes.values()].map((box) => [box.id, boxFigures(box, documents.value, found.value)])));

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

/** The traffic of every edge that is shown; between groups that of all services in them. */
const shownTraffic = computed(() => {
  const { shownAs } = shown.value;
  if (!shownAs) return found.value.edges;
  const sums = new Map();
  for (const [id, flow] of inMesh("flows").value) {
    const { from, to } = endsOf(id, graph.value);
    if (from) add(sums, edgeId(shownAs.get(from), shownAs.get(to)), flow);
  }
  return sums;
});

function figuresNow(id) {
  const box = shown.value.boxes.get(id);
  return box?.kind === "group" ? groupFigures(box.members, (one) => allFigures.value.get(one.id)) : allFigures.value.get(id);
}

const trafficNow = (id) => shownTraffic.value.get(id) ?? QUIET;

const boxSignals = new Map();
const edgeSignals = new Map();
function signalOf(signals, id, now) {
  if (!signals.has(id)) signals.set(id, signal(untracked(() => now(id))));
  return signals.get(id);
}
/** What a box or an edge says, as signals of their own: only what changed is drawn again. */
export const figuresOfBox = (id) => signalOf(boxSignals, id, figuresNow);
export const trafficOfEdge = (id) => signalOf(edgeSignals, id, trafficNow);

/** Milliseconds of a frame in which new figures are drawn; what is left waits for the next frame. */
const DRAWING = 5;
/** Signals that may have to change, with what computes their value. One that is set again keeps its turn: none starves. */
const waiting = new Map();
let asked = false;

function askForFrame() {
  if (!asked) requestAnimationFrame(draw);
  asked = true;
}

/** Set what waits, until the time of this frame is over. The page answers in between, and is laid out in small parts. */
async function draw() {
  asked = false;
  const end = performance.now() + DRAWING;
  for (const [target, now] of waiting) {
    waiting.delete(target);
    const value = now();
    if (value && JSON.stringify(target.peek()) !== JSON.stringify(value)) {
      target.value = value;
      // Components draw in a microtask of their own: only after it the time says what it took.
      await null;
    }
    if (performance.now() > end) break;
  }
  if (waiting.size > 0) askForFrame();
}

/** Keep the figures of what is shown up to date; returns a function that ends it. */
export const followFigures = () =>
  effect(() => {
    const [boxes, edges] = [shown.value.boxes.keys(), shown.value.edges.keys()];
    // What depends on these is computed later, but their change is what asks for it.
    allFigures.value, shownTraffic.value;
    untracked(() => {
      for (const id of boxes) waiting.set(figuresOfBox(id), () => figuresNow(id));
      for (const id of edges) waiting.set(trafficOfEdge(id), () => trafficNow(id));
      askForFrame();
    });
  });
