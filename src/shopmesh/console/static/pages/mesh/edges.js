// The lines of the map.

import { html, useMemo } from "../../lib.js";
import { milliseconds, percent, rate } from "../../data/format.js";
import { trafficOfEdge } from "./model.js";
import { curve, edgeMark, edgeWidth, middleOf } from "./strokes.js";

/** The head of every line. */
export const Arrow = () =>
  html`<defs><marker id="mesh-arrow" class="mesh-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0l8 4-8 4z" /></marker></defs>`;

const MARKS = { failing: "M0-6l6 11h-12z", slow: "M0-6l6 6-6 6-6-6z" };

const sentence = (edge, flow) =>
  `${edge.from.replace(/^\w+\//, "")} → ${edge.to.replace(/^\w+\//, "")}: ` +
  (flow.rate > 0 ? `${rate(flow.rate)}, ${percent(flow.errors / flow.rate)} failed, p99 ${milliseconds(flow.p99)}` : "no traffic");

function text(flow, mark) {
  if (mark === "failing") return `${percent(flow.errors / flow.rate)} fail`;
  return mark === "slow" ? `p99 ${milliseconds(flow.p99)}` : rate(flow.rate);
}

export function Edge({ edge, points, vertical, labelled, near }) {
  const flow = trafficOfEdge(edge.id).value;
  const mark = edgeMark(flow);
  const [x, y] = middleOf(points, vertical);
  const d = useMemo(() => curve(points, vertical), [points, vertical]);
  return html`<g class=${`mesh-edge ${mark} ${near ? "near" : ""}`}>
    <path class="mesh-hit" d=${d}><title>${sentence(edge, flow)}</title></path>
    <path class=${`mesh-flow ${mark}`} d=${d} stroke-width=${edgeWidth(flow.rate)} marker-end="url(#mesh-arrow)" />
    ${MARKS[mark] && html`<path class="mesh-edge-mark" d=${MARKS[mark]} transform=${`translate(${x} ${y})`} />`}
    ${(labelled || near) && flow.rate > 0 && html`<text class="mesh-edge-text" x=${x} y=${y + (MARKS[mark] ? -11 : 4)}>${text(flow, mark)}</text>`}
  </g>`;
}
