// Asks the worker for layouts, one after the other; only the last one asked for counts.

import { signal } from "../../lib.js";
import { layout } from "./layout.js";

const WORKER = new URL("./worker.js", import.meta.url).href;

/** The places of the last layout: {boxes, edges, width, height}, or null before the first. */
export const places = signal(null);

let worker = null;
let last = 0;
let waiting = null;

/** The page allows scripts by trusted types only; this policy makes one address trusted, and it is a constant. */
function scriptUrl() {
  const policy = globalThis.trustedTypes?.createPolicy("shopmesh-layout", { createScriptURL: () => WORKER });
  return policy ? policy.createScriptURL("") : WORKER;
}

function begin() {
  worker = new Worker(scriptUrl(), { type: "module" });
  worker.onmessage = ({ data }) => {
    if (data.number === last) places.value = data.places;
  };
  // A browser without workers of modules still shows the map.
  worker.onerror = () => {
    worker.terminate();
    worker = { postMessage: ({ graph }) => (places.value = layout(graph)) };
    if (waiting) worker.postMessage(waiting);
  };
}

/** Lay out {boxes, edges, vertical, near}; what was laid out before keeps its order. */
export function place(graph) {
  if (!worker) begin();
  const before = Object.entries(places.peek()?.boxes ?? {});
  const order = Object.fromEntries(before.map(([id, { x, y }]) => [id, graph.vertical ? x : y]));
  waiting = { number: ++last, graph: { ...graph, order } };
  worker.postMessage(waiting);
}
