// What each version gets: now, and over the last minutes as columns for plots, which begin with what the control plane
// has kept and are continued by what comes live. Pure.

export const SECONDS = 300;
/** Seconds over which a point counts, unless the weights changed since: as the live figures. */
const WINDOW = 10;
/** Points of which the slowest p99 counts: there is no p99 of several, and one second has few requests. */
const SLOW = 5;
/** Seconds without a point after which a line has a gap. */
const GAP = 6;
/** The 97.5th percentile of the normal distribution: a two-sided 95 % interval. */
const Z = 1.959964;
const FIELDS = ["target", "seen", "low", "high", "requests", "errors", "p99"];

/** The 95 % interval (Wilson's) of a share of which `count` of `total` were seen: [low, high]. */
export function wilson(count, total) {
  const share = count / total;
  const z = (Z * Z) / total;
  const middle = (share + z / 2) / (1 + z);
  const half = (Z / (1 + z)) * Math.sqrt((share * (1 - share)) / total + z / (4 * total));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** No points yet, for so many versions: `rows[version][field]` has one value a time, null where it is unknown. */
export const empty = (count) => ({ times: [], rows: Array.from({ length: count }, () => Object.fromEntries(FIELDS.map((field) => [field, []]))) });

function push({ times, rows }, at, values) {
  const points = at - times.at(-1) > GAP ? [[times.at(-1) + 1, null], [at, values]] : [[at, values]];
  for (const [time, found] of points) {
    times.push(time);
    rows.forEach((row, version) => FIELDS.forEach((field) => row[field].push(found?.[version][field] ?? null)));
  }
}

/** The same with one more point, and none older than SECONDS; a point that is not newer changes nothing. */
export function append({ times, rows }, at, values) {
  if (at <= times.at(-1)) return { times, rows };
  const old = times.filter((time) => time < at - SECONDS).length;
  const copy = { times: times.slice(old), rows: rows.map((row) => Object.fromEntries(FIELDS.map((field) => [field, row[field].slice(old)]))) };
  push(copy, at, values);
  return copy;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const greatest = (values = []) => values.reduce((found, value) => (value === null ? found : Math.max(value, found)), null);
const named = ({ virtualNode, port }, { targets }) => (targets.filter((one) => one.virtualNode === virtualNode).length > 1 ? `${virtualNode}:${port}` : virtualNode);

/** The points of `/shopmesh/v1/history` for a route; targets are unknown before the oldest known weights. */
export function fromHistory({ begin, step, series, weights }, route) {
  const found = route.targets.map(({ virtualNode, port }) => series.find((one) => one.virtualNode === virtualNode && one.port === port));
  const columns = empty(route.targets.length);
  for (let index = 0; index < (found[0]?.requests.length ?? 0); index += 1) {
    const at = begin + (index + 1) * step;
    const then = weights.findLast((change) => change.route === route.route && change.at < at);
    const first = Math.max(0, index + 1 - WINDOW / step, Math.min(index, Math.ceil(((then?.at ?? 0) - begin) / step)));
    const counted = (field) => found.map((one) => sum(one?.[field].slice(first, index + 1) ?? []));
    const [requests, errors] = [counted("requests"), counted("errors")];
    const total = sum(requests);
    // The first report of a proxy is spread over all its time: less than one request says nothing of shares.
    const isCounted = total >= 1;
    const whole = sum(Object.values(then?.weights ?? {}));
    push(columns, at, route.targets.map((target, version) => {
      const [low, high] = isCounted ? wilson(requests[version], total) : [];
      return {
        target: whole > 0 ? (then.weights[named(target, route)] ?? 0) / whole : null,
        seen: isCounted ? requests[version] / total : null,
        low,
        high,
        requests: requests[version] / ((index + 1 - first) * step),
        errors: requests[version] > 0 ? errors[version] / requests[version] : null,
        p99: greatest(found[version]?.p99.slice(Math.max(0, index - SLOW + 1), index + 1)),
      };
    }));
  }
  return columns;
}

/** The flows of all callers together, `[requests, errors per second, p99]` by `virtualService/node` as in their IDs. */
export function sumFlows(flows) {
  const found = new Map();
  for (const [id, [requests, errors, p99]] of flows) {
    const target = id.split("/").slice(3).join("/");
    const [before, failed, slowest] = found.get(target) ?? [0, 0, null];
    found.set(target, [before + requests, failed + errors, p99 === null ? slowest : Math.max(p99, slowest)]);
  }
  return found;
}

/**
 * What each target of a route gets now. Shares are of its live figures: `[since, countedBy, [[requests, errors, retries,
 * p50, p99, seen, low, high], …]]`. Rates are of the flows, which a change of weights does not begin anew; where the
 * route names a node twice, whose flows are one, they are of the figures.
 */
export function fromLive(route, figures, flows, at) {
  const [since = null, , rows = []] = figures ?? [];
  const seconds = since === null ? WINDOW : Math.max(1, Math.min(WINDOW, at - since));
  const total = sum(rows.map(([requests]) => requests));
  return route.targets.map((target, version) => {
    const [requests = 0, errors = 0, , , p99 = null, seen = null, low = null, high = null] = rows[version] ?? [];
    const flow = flows.get(`${encodeURIComponent(route.virtualService)}/${encodeURIComponent(target.virtualNode)}`) ?? [0, 0, null];
    const alone = named(target, route) === target.virtualNode && route.virtualService;
    const [rate, failed, slow] = alone ? flow : [requests / seconds, errors / seconds, p99];
    return { target: target.share, seen, low, high, total, requests: rate, errors: rate > 0 ? failed / rate : null, p99: slow };
  });
}
