// All routes of the mesh: each version's target beside its seen share.

import { html } from "../../lib.js";
import { Badge, Empty } from "../../components/basic.js";
import { Share, verdict } from "../../components/share.js";
import { Table } from "../../components/table.js";
import { interval, milliseconds, percent, rate } from "../../data/format.js";
import { state } from "../../data/live.js";
import { inMesh } from "../../data/mesh.js";
import { badgeOf } from "./logic/canary.js";
import { fromLive, sumFlows } from "./logic/series.js";
import { Version, linkTo, matchOf, nameOf, titleOf } from "./names.js";

/** Each row is drawn anew every second. */
const AT_ONCE = 40;

const greatest = (rows, field) => rows.reduce((found, row) => (row[field] === null ? found : Math.max(row[field], found ?? 0)), null);

/** A column with one line a version, in every cell of a route's row alike; copied and filtered as `text`. */
const lines = (id, title, text, { show = text, ...more } = {}) => ({
  id,
  title,
  value: ({ rows }) => rows.map(text).join(", "),
  cell: ({ rows }) => html`<div class="traffic-lines">${rows.map((row, at) => html`<div key=${at}>${show(row)}</div>`)}</div>`,
  ...more,
});

const figures = (id, title, format, value) => lines(id, title, (row) => format(row[id]), { align: "end", value });

const COLUMNS = [
  {
    id: "service",
    title: "Service",
    value: ({ route }) => titleOf(route),
    cell: ({ id, route }) => html`<a class="traffic-name" href=${linkTo(id, route)}>${titleOf(route)}</a><div class="muted small traffic-match">${matchOf(route)}</div>`,
  },
  lines("version", "Version", ({ name: { version, node } }) => `${version ?? ""} ${node}`, { show: ({ name }) => html`<${Version} name=${name} />` }),
  lines("share", "Target, and seen share", ({ target, seen }) => `${percent(target)}: ${percent(seen)}`, { show: (row) => (row.alone ? html`<span class="share-figure target">${percent(row.target)}</span>` : html`<${Share} ...${row} />`), sort: false }),
  lines("interval", "95 % interval", ({ alone, low, high }) => (alone ? "" : interval(low, high)), { align: "end", sort: false }),
  figures("requests", "Requests", rate, ({ rows }) => rows.reduce((sum, { requests }) => sum + requests, 0)),
  lines("errors", "Errors", ({ errors }) => percent(errors), {
    show: ({ errors }) => html`<span class=${errors > 0 ? "traffic-failed" : ""}>${percent(errors)}</span>`,
    value: ({ rows }) => greatest(rows, "errors"),
    align: "end",
  }),
  figures("p99", "p99", milliseconds, ({ rows }) => greatest(rows, "p99")),
  {
    id: "canary",
    title: "Canary",
    value: ({ canary }) => canary && badgeOf(canary)[1],
    cell: ({ canary }) => canary && html`<${Badge} kind=${badgeOf(canary)[0]} title=${canary.reason}>${badgeOf(canary)[1]}</${Badge}>`,
  },
];

/** Whether any version's target lies outside of its interval. */
const differs = ({ rows }) => rows.some((row) => verdict(row) === "differs");

export function RouteList() {
  const [routes, shares, flows, canaries] = ["routes", "figures", "flows", "canaries"].map((name) => inMesh(name).value);
  const sums = sumFlows(flows);
  const rows = [...routes].map(([id, route]) => {
    const live = fromLive(route, shares.get(id), sums, state.at.value);
    return { id, route, canary: canaries.get(id), rows: live.map((row, at) => ({ ...row, alone: live.length === 1, name: nameOf(route.mesh, route.targets[at], route.targets) })) };
  });
  return html`<div class="page-head"><h1>Traffic</h1></div>
    <div class="traffic-list"><${Table} caption="Routes" columns=${COLUMNS} rows=${rows} rowKey=${({ id }) => id} order="service" step=${AT_ONCE}
      rowClass=${(row) => (differs(row) ? "traffic-differs" : "")}
      empty=${html`<${Empty} title="This mesh has no route">
        <p>Routes of a virtual router divide the requests of a virtual service among its versions.</p>
      </${Empty}>`} /></div>`;
}
