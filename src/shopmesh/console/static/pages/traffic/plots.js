// The last minutes by version: share with its interval and target, requests, errors and latency.

import uPlot from "../../vendor/uPlot.esm.js";
import { html, signal, useEffect, useRef, useState } from "../../lib.js";
import { get } from "../../data/api.js";
import { interval, milliseconds, percent, rate, time } from "../../data/format.js";
import { state } from "../../data/live.js";
import { theme } from "../../data/theme.js";
import { loadStyles } from "../../shell/styles.js";
import { SECONDS, append, empty, fromHistory } from "./logic/series.js";
import { Sample, Version, colourOf, dashOf, nameOf } from "./names.js";

loadStyles("vendor/uPlot.min.css");

const HEIGHT = 168;
const NO_POINTS = { show: false };
/** Seconds without live figures, as of a tab that was hidden, after which the past is read anew. */
const LOST = 8;

/** The index of the point below the pointer, in all plots alike; null: the last one. */
const pointed = signal(null);

/** `least`: the least value of the upper end. */
const PLOTS = [
  { field: "seen", title: "Share", format: percent, least: 1, more: ["target", "low", "high"] },
  { field: "requests", title: "Requests", format: rate, least: 1, more: [] },
  { field: "errors", title: "Errors", format: percent, least: 0.02, more: [] },
  { field: "p99", title: "p99", format: milliseconds, least: 10, more: [] },
];

/** The colour of a class as the canvas needs it, read from the style sheet: it follows the theme. */
function colour(element, name) {
  const probe = Object.assign(document.createElement("i"), { className: name });
  element.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** The columns of one plot: times, then each version's line; in the plot of shares also its target and its interval. */
const columnsOf = ({ field, more }, { times, rows }) => [times, ...rows.flatMap((row) => [field, ...more].map((name) => row[name]))];

function seriesOf({ more }, count) {
  const [bands, series] = [[], [{}]];
  for (let version = 0; version < count; version += 1) {
    const stroke = ({ root }) => colour(root, colourOf(version));
    const at = series.length;
    series.push({ stroke, width: 2, dash: dashOf(version), points: NO_POINTS });
    if (more.length === 0) continue;
    series.push({ stroke, width: 1.5, dash: [2, 4], paths: uPlot.paths.stepped({ align: -1 }), points: NO_POINTS }, ...Array(2).fill({ width: 0, points: NO_POINTS }));
    bands.push({ series: [at + 3, at + 2], fill: ({ root }) => colour(root, colourOf(version)).replace(/^rgb\((.*)\)$/, "rgba($1, 0.16)") });
  }
  return { series, bands };
}

function optionsOf(plot, count, width) {
  const axis = {
    stroke: ({ root }) => colour(root, "muted"),
    grid: { stroke: ({ root }) => colour(root, "traffic-grid"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  const highest = (most) => (plot.more.length > 0 ? plot.least : Math.max(plot.least, 1.1 * most));
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: "traffic" }, drag: { x: false }, points: NO_POINTS },
    scales: { x: { range: (_, __, last) => [last - SECONDS, last] }, y: { range: (_, __, most) => [0, highest(most)] } },
    axes: [
      { ...axis, values: (_, splits) => splits.map((at) => time(at, at).slice(0, 5)), space: 60, incrs: [60, 120, 300], size: 26 },
      { ...axis, values: (_, splits) => splits.map((value) => plot.format(value).replace(/\.0\b/, "")), size: 58, space: 34 },
    ],
    hooks: { setCursor: [({ cursor }) => (pointed.value = cursor.left >= 0 ? cursor.idx : null)] },
    ...seriesOf(plot, count),
  };
}

/** The element in which uPlot draws: made once for a number of versions, then given new data. */
function useDrawn(plot, series) {
  const element = useRef(null);
  const drawn = useRef(null);
  useEffect(() => {
    const { current } = element;
    drawn.current = new uPlot(optionsOf(plot, series.rows.length, current.clientWidth), columnsOf(plot, series), current);
    const resized = new ResizeObserver(() => drawn.current.setSize({ width: current.clientWidth, height: HEIGHT }));
    resized.observe(current);
    return () => {
      resized.disconnect();
      drawn.current.destroy();
    };
  }, [series.rows.length]);
  useEffect(() => drawn.current.setData(columnsOf(plot, series)), [series, theme.value]);
  return element;
}

const at = (column, index) => column[index ?? column.length - 1] ?? null;

const Plot = ({ plot, series }) =>
  html`<figure class="traffic-plot">
    <figcaption class="row"><h3>${plot.title}</h3>${series.rows.map(
      (row, version) => html`<span key=${version} class="traffic-value"><${Sample} index=${version} />${plot.format(at(row[plot.field], pointed.value))}</span>`,
    )}</figcaption>
    <div ref=${useDrawn(plot, series)} class="traffic-canvas"></div>
  </figure>`;

/** The plots in words: what each version gets now, and the range of its share before. */
function summary({ rows }, names) {
  const texts = rows.map(({ target, seen, low, high, requests, errors, p99 }, version) => {
    const shares = seen.filter((value) => value !== null);
    const range = shares.length > 0 ? `, from ${percent(Math.min(...shares))} to ${percent(Math.max(...shares))} in the last minutes` : "";
    const shown = `target ${percent(at(target))}, seen ${percent(at(seen))}, 95 % interval ${interval(at(low), at(high))}${range}`;
    const name = names[version].version ?? names[version].node;
    return `${name}: ${shown}; ${rate(at(requests))}, ${percent(at(errors))} failed, p99 ${milliseconds(at(p99))}`;
  });
  return texts.join(". ");
}

/** The past of a route; nothing where no service leads to it, for which proxies would count. */
async function read(route) {
  if (!route.virtualService) return empty(route.targets.length);
  const query = new URLSearchParams({ mesh: route.mesh, virtualService: route.virtualService, seconds: SECONDS });
  return fromHistory(await get(`/shopmesh/v1/history?${query}`), route);
}

/** How often live figures were missed for a while. */
function useInterruptions(now) {
  const found = useRef({ last: now, count: 0 });
  if (now - found.current.last > LOST) found.current.count += 1;
  found.current.last = now;
  return found.current.count;
}

/** The columns of a route: the past as the control plane has kept it, continued by each live event; null at first. */
function useSeries(route, live) {
  const [series, setSeries] = useState(null);
  const now = state.at.value;
  const targets = route.targets.map(({ virtualNode, port }) => `${virtualNode} ${port}`).join();
  useEffect(() => {
    let wanted = true;
    setSeries(null);
    read(route).catch(() => empty(route.targets.length)).then((found) => wanted && setSeries(found));
    return () => (wanted = false);
  }, [targets, useInterruptions(now)]);
  useEffect(() => setSeries((before) => before && append(before, now, live)), [now, series === null]);
  return series?.rows.length === live.length ? series : null;
}

export function Plots({ route, live }) {
  const series = useSeries(route, live);
  if (series === null) return null;
  const names = route.targets.map((target) => nameOf(route.mesh, target, route.targets));
  const when = series.times[pointed.value];
  return html`<section class="card stack" aria-label="The last minutes">
    <div class="row traffic-legend">
      <h2>${when ? time(when) : "The last 5 minutes"}</h2>
      ${names.map((name, version) => html`<span key=${version}><${Sample} index=${version} /> <${Version} name=${name} /></span>`)}
      <span class="muted small">dotted: target, band: 95 % interval</span>
    </div>
    <div class="traffic-plots" role="img" aria-label=${summary(series, names)}>
      ${PLOTS.map((plot) => html`<${Plot} key=${plot.field} plot=${plot} series=${series} />`)}
    </div>
  </section>`;
}
