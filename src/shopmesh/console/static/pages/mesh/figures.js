// What boxes and edges say now: traffic, errors, latency, shares, proxies, and what is wrong. Pure.

import { verdict } from "../../components/share.js";
import { OUTSIDE, edgeId, endsOf } from "./graph.js";

/** From this share of failed requests on, something is wrong. */
export const TOO_MANY_ERRORS = 0.01;
/** Milliseconds of the slowest request in a hundred from which it is called slow. */
export const SLOW_MILLISECONDS = 1000;

export const QUIET = Object.freeze({ rate: 0, errors: 0, p99: null });

/** Sum of rates; of latencies the worst, because quantiles cannot be added. */
export function add(found, key, [rate, errors, p99]) {
  const old = found.get(key) ?? QUIET;
  found.set(key, { rate: old.rate + rate, errors: old.errors + errors, p99: p99 === null ? old.p99 : Math.max(p99, old.p99 ?? 0) });
}

const rowKey = (box, node) => `${box} | ${node}`;

/** Traffic by edge, by box, and by version of a box. */
export function traffic(flows, graph) {
  const [edges, boxes, rows] = [new Map(), new Map(), new Map()];
  for (const [id, flow] of flows) {
    const { from, to, node } = endsOf(id, graph);
    if (to === null) continue;
    add(boxes, to, flow);
    add(rows, rowKey(to, node), flow);
    if (from) add(edges, edgeId(from, to), flow);
    // Nobody counts what enters a gateway: it is what leaves it.
    if (graph.boxes.get(from)?.kind === "gateway") {
      add(edges, edgeId(OUTSIDE, from), flow);
      add(boxes, from, flow);
      for (const row of graph.boxes.get(from).rows) add(rows, rowKey(from, row.node), flow);
    }
  }
  return { edges, boxes, rows };
}

/** How the proxies of each node do: {all, inSync, refused, lost, refusals: [{instance, type, message, at}]} by `kind/name`. */
export function proxyStates(proxies) {
  const found = new Map();
  for (const proxy of proxies.values()) {
    const key = `${proxy.kind}/${proxy.name}`;
    const state = found.get(key) ?? { all: 0, inSync: 0, refused: 0, lost: 0, refusals: [] };
    found.set(key, state);
    state.all += 1;
    if (!proxy.connected) state.lost += 1;
    else if (proxy.refused) state.refused += 1;
    else if (proxy.inStep) state.inSync += 1;
    for (const nack of [proxy.refused, ...(proxy.alsoRefused ?? [])]) {
      if (nack) state.refusals.push({ instance: proxy.instance, ...nack });
    }
  }
  return found;
}

const NO_PROXIES = Object.freeze({ all: 0, inSync: 0, refused: 0, lost: 0, refusals: [] });

/** "refused", "lost", "behind", "none" or "ok". */
export function proxyWord({ all, inSync, refused, lost }) {
  if (refused > 0) return "refused";
  if (all === 0) return "none";
  if (lost > 0) return "lost";
  return inSync < all ? "behind" : "ok";
}

const UNKNOWN_SHARE = Object.freeze({ target: null, seen: null, low: null, high: null });

/** The share of one target of a route: from the route's document and its figures. */
export function shareOf(route, figure, node) {
  const index = route.targets.findIndex((target) => target.virtualNode === node);
  if (index < 0) return UNKNOWN_SHARE;
  const rows = figure?.[2] ?? [];
  const [, , , , , seen, low, high] = rows[index] ?? [];
  return { target: route.targets[index].share, seen, low, high, total: rows.reduce((sum, [requests]) => sum + requests, 0) };
}

/** With several routes a version has a target in each: only what it gets of all of them can be said in one figure. */
function rowShare(box, node, documents, rate, all) {
  if (box.routes.length === 1) return shareOf(documents.routes.get(box.routes[0]), documents.figures.get(box.routes[0]), node);
  return { ...UNKNOWN_SHARE, seen: all > 0 ? rate / all : null };
}

const failing = ({ rate, errors }) => rate > 0 && errors / rate >= TOO_MANY_ERRORS;
const slow = ({ p99 }) => p99 !== null && p99 >= SLOW_MILLISECONDS;

/** "failing", "slow", "quiet" or "ok". */
export function trafficWord(figures) {
  if (figures.rate === 0) return "quiet";
  return failing(figures) ? "failing" : slow(figures) ? "slow" : "ok";
}

/** What is wrong with a box, worst first, in words. */
function wrongs(box, figures, rows) {
  const all = rows.map((row) => row.proxy);
  const found = [];
  if (all.includes("refused")) found.push("configuration refused");
  if (failing(figures)) found.push("requests fail");
  if (all.includes("lost")) found.push("proxy not connected");
  if (rows.some(({ proxy, share, node }) => proxy === "none" && (share.target > 0 || (box.kind !== "service" && node)))) {
    found.push("no proxy runs");
  }
  if (slow(figures)) found.push("slow");
  if (rows.some(({ share }) => verdict(share) === "differs")) found.push("share differs from target");
  return found;
}

/** Everything that one box says: {rate, errors, p99, wrong: [text], rows: [{node, version, share, proxies, proxy, …}]}. */
export function boxFigures(box, documents, found) {
  const figures = found.boxes.get(box.id) ?? QUIET;
  const kind = box.kind === "gateway" ? "virtualGateway" : "virtualNode";
  const rows = box.rows.map(({ node, version }) => {
    const own = found.rows.get(rowKey(box.id, node)) ?? QUIET;
    const proxies = found.proxies.get(`${kind}/${node}`) ?? NO_PROXIES;
    const share = rowShare(box, node, documents, own.rate, figures.rate);
    return { node, version, ...own, share, proxies, proxy: proxyWord(proxies) };
  });
  return { ...figures, rows, wrong: wrongs(box, figures, rows) };
}

/** The figures of a group: those of its boxes together. */
export function groupFigures(boxes, figuresOf) {
  const sum = { rate: 0, errors: 0, p99: null, rows: [], wrong: [], services: boxes.length, wrongServices: 0, refused: 0 };
  for (const box of boxes) {
    const one = figuresOf(box);
    sum.rate += one.rate;
    sum.errors += one.errors;
    if (one.p99 !== null) sum.p99 = Math.max(one.p99, sum.p99 ?? 0);
    if (one.wrong.length > 0) sum.wrongServices += 1;
    sum.refused += one.rows.filter(({ proxy }) => proxy === "refused").length;
  }
  return sum;
}
