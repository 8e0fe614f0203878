// The map: boxes where the layout put them, lines between them; scrolled as any part of a page, scaled by buttons.

import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "../../lib.js";
import { change, parameters } from "../../data/address.js";
import { Empty, Loading } from "../../components/basic.js";
import { Icon } from "../../components/icons.js";
import { Box, sizeOf } from "./box.js";
import { Arrow, Edge } from "./edges.js";
import { OUTSIDE } from "./graph.js";
import { Legend } from "./legend.js";
import { followFigures, openGroups, shown } from "./model.js";
import { place, places } from "./placing.js";
import { chosen } from "./panel.js";

const [LEAST, MOST, READABLE, LARGEST_FIT] = [0.3, 2, 0.75, 1.25];
const NARROW = matchMedia("(max-width: 860px)");
const MARGIN = NARROW.matches ? 12 : 28;
const STEP = 1.2;
const MOST_LABELS = 60;

/** The box that the Tab key reaches; the arrow keys go on from it. */
const current = signal(null);
const scale = signal(null);

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

/** The scale at which the map fits into the window, as long as its text can be read. */
function fit(frame, { width, height }) {
  const room = Math.min((frame.clientWidth - 2 * MARGIN) / width, (frame.clientHeight - 2 * MARGIN) / height);
  return clamp(room, READABLE, LARGEST_FIT);
}

/** The nearest box in the direction of an arrow key: up and down in its column, left and right in the columns beside. */
export function nearest(boxes, from, key) {
  const here = boxes[from];
  const others = Object.entries(boxes).filter(([id]) => id !== from && id !== OUTSIDE);
  const ahead = {
    ArrowUp: ([, box]) => box.layer === here.layer && box.y < here.y,
    ArrowDown: ([, box]) => box.layer === here.layer && box.y > here.y,
    ArrowLeft: ([, box]) => box.layer < here.layer,
    ArrowRight: ([, box]) => box.layer > here.layer,
  }[key];
  const distance = ([, box]) => Math.abs(box.layer - here.layer) * 1e6 + Math.abs(box.y - here.y);
  const found = others.filter(ahead).sort((one, other) => distance(one) - distance(other));
  return found[0]?.[0] ?? from;
}

/** The scale that fitted last: until another is chosen, the map fits when its room changes, as beside a panel. */
let fitting = null;

function scaleToFit(frame, size) {
  fitting = fit(frame, size);
  scale.value = fitting;
}

function useResizing(frame, placed) {
  useEffect(() => {
    const element = frame.current;
    if (!placed || !element) return undefined;
    let width = element.offsetWidth;
    const resized = new ResizeObserver(() => {
      if (element.offsetWidth !== width && scale.peek() === fitting) scaleToFit(element, placed);
      width = element.offsetWidth;
    });
    resized.observe(element);
    return () => resized.disconnect();
  }, [placed]);
}

/** As large as it fits, and where requests come in in sight. */
function begin(frame, placed) {
  scaleToFit(frame, placed);
  const entry = placed.boxes[OUTSIDE] ?? Object.values(placed.boxes)[0];
  requestAnimationFrame(() => frame.scrollTo(entry.x * scale.value - frame.clientWidth / 2, entry.y * scale.value - frame.clientHeight / 2));
}

function onArrow(event, frame) {
  const boxes = places.value?.boxes ?? {};
  if (!event.key.startsWith("Arrow") || !boxes[current.value] || !event.target.dataset.box) return;
  event.preventDefault();
  current.value = nearest(boxes, current.value, event.key);
  frame.querySelector(`[data-box="${CSS.escape(current.value)}"]`)?.focus();
}

function open(box) {
  if (box.kind === "group") change({ open: [...openGroups.value, box.space].join(",") });
  else change({ box: chosen.value === box.id ? null : box.id });
}

/** Whether the window is narrow: then layers are rows. */
function useNarrow() {
  const [narrow, setNarrow] = useState(NARROW.matches);
  useEffect(() => {
    const note = () => setNarrow(NARROW.matches);
    NARROW.addEventListener("change", note);
    return () => NARROW.removeEventListener("change", note);
  }, []);
  return narrow;
}

/** The box whose panel opens stays in sight. */
function useChosenInSight(frame, ready) {
  const id = chosen.value;
  useEffect(() => {
    if (!ready || !id) return;
    frame.current.querySelector(`[data-box="${CSS.escape(id)}"]`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [ready, id]);
}

/** Fit the map when other things are chosen to be shown; what comes and goes by itself moves nothing else. */
function useBeginning(frame, placed) {
  const { focus, q, show, open: opened, group, mesh } = parameters.value;
  const asked = JSON.stringify([focus, q, show, opened, group, mesh]);
  const last = useRef({ asked: null, placed: null });
  useLayoutEffect(() => {
    // The places of what is asked for now come after it was asked for.
    if (!placed || !frame.current || placed === last.current.placed || asked === last.current.asked) return;
    begin(frame.current, placed);
    last.current = { asked, placed };
  }, [placed, asked]);
}

/** Ask for places whenever the shape of what is shown changes. */
function usePlaces(graph, vertical) {
  useEffect(() => {
    const boxes = [...graph.boxes.values()].map((box) => ({ id: box.id, ...sizeOf(box, vertical), first: box.id === OUTSIDE }));
    place({ boxes, edges: [...graph.edges.values()], vertical, near: graph.shownAs !== undefined });
  }, [graph, vertical]);
}

const Zoom = ({ frame, size }) => {
  const to = (value) => (scale.value = clamp(value, LEAST, MOST));
  return html`<div class="mesh-zoom" role="group" aria-label="Size of the map">
    <button type="button" class="quiet" aria-label="Smaller" title="Smaller" onClick=${() => to(scale.value / STEP)}>−</button>
    <button type="button" class="quiet" title="As large as the window allows" onClick=${() => scaleToFit(frame.current, size)}>Fit</button>
    <button type="button" class="quiet" aria-label="Larger" title="Larger" onClick=${() => to(scale.value * STEP)}>+</button>
  </div>`;
};

/** Scale with Ctrl and the wheel (or two fingers on a trackpad), around the pointer. */
function useWheel(frame, ready) {
  useEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    const onWheel = (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const before = scale.value;
      scale.value = clamp(before * Math.exp(-event.deltaY / 300), LEAST, MOST);
      const { left, top } = element.getBoundingClientRect();
      const [x, y] = [event.clientX - left, event.clientY - top];
      const grown = scale.value / before;
      requestAnimationFrame(() => element.scrollTo((element.scrollLeft + x) * grown - x, (element.scrollTop + y) * grown - y));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [ready]);
}

function Canvas({ graph, placed, frame, vertical }) {
  const [hovered, setHovered] = useState(null);
  const factor = scale.value ?? 1;
  const outer = { width: `${placed.width * factor + 2 * MARGIN}px`, height: `${placed.height * factor + 2 * MARGIN}px` };
  const inner = { width: `${placed.width}px`, height: `${placed.height}px`, transform: `translate(${MARGIN}px, ${MARGIN}px) scale(${factor})` };
  const edges = [...graph.edges.values()].filter(({ id }) => placed.edges[id]);
  const boxes = [...graph.boxes.values()].filter(({ id }) => placed.boxes[id]);
  if (!boxes.some(({ id }) => id === current.peek())) current.value = boxes[0]?.id ?? null;
  const near = hovered ?? chosen.value;
  const several = new Set(boxes.filter(({ kind }) => kind === "service").map(({ space }) => space)).size > 1;
  const overBox = (event) => setHovered(event.target.closest?.("[data-box]")?.dataset.box ?? null);
  return html`<div class="mesh-sheet" style=${outer}>
    <div class=${`mesh-canvas ${near ? "has-near" : ""} ${graph.shownAs ? "grouped" : edges.length > MOST_LABELS ? "many" : ""}`} style=${inner} onMouseOver=${overBox} onMouseLeave=${() => setHovered(null)} onKeyDown=${(event) => onArrow(event, frame.current)}>
      <svg class="mesh-lines" width=${placed.width} height=${placed.height} aria-hidden="true">
        <${Arrow} />
        ${edges.map((edge) => html`<${Edge} key=${edge.id} edge=${edge} points=${placed.edges[edge.id]} vertical=${vertical} labelled=${edges.length <= MOST_LABELS && !graph.shownAs} near=${edge.from === near || edge.to === near} />`)}
      </svg>
      ${boxes.map((box) => html`<${Box} key=${box.id} box=${box} at=${placed.boxes[box.id]} vertical=${vertical} chosen=${chosen} current=${current} showSpace=${several} open=${open} />`)}
    </div>
  </div>`;
}

/** Whether the places are those of this graph: after a change of its shape they come a moment later. */
const arePlacesOf = (placed, graph) => placed !== null && [...graph.boxes.keys()].every((id) => placed.boxes[id]);

export function MeshMap() {
  const frame = useRef(null);
  const graph = shown.value;
  const placed = places.value;
  const ready = arePlacesOf(placed, graph);
  const vertical = useNarrow();
  usePlaces(graph, vertical);
  useEffect(followFigures, []);
  useWheel(frame, ready);
  useResizing(frame, ready ? placed : null);
  useChosenInSight(frame, ready);
  const { q, show } = parameters.value;
  // Places of more boxes are of what was shown before.
  useBeginning(frame, ready && Object.keys(placed.boxes).length === graph.boxes.size ? placed : null);
  if (graph.boxes.size === 0) {
    if (!q && !show) return html`<${Empty} title="This mesh has no service yet">Virtual services appear here as soon as they are applied.</${Empty}>`;
    return html`<${Empty} title="Nothing matches the filter"><button type="button" onClick=${() => change({ q: null, show: null, focus: null })}>Show all</button></${Empty}>`;
  }
  return html`<div class="mesh-map">
    <div class="mesh-frame" ref=${frame} role="group" aria-label="Map of the mesh. Arrow keys move between boxes, Enter opens one." >
      ${ready ? html`<${Canvas} graph=${graph} placed=${placed} frame=${frame} vertical=${vertical} />` : html`<${Loading} what="the map" />`}
    </div>
    <${Legend} />
    ${ready && html`<${Zoom} frame=${frame} size=${placed} />`}
  </div>`;
}
