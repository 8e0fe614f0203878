// The map as a table: a row for each version. For screen readers, for sorting, and for copying.

import { html } from "../../lib.js";
import { ShareBar, verdict } from "../../components/share.js";
import { Table } from "../../components/table.js";
import { change, parameters } from "../../data/address.js";
import { milliseconds, percent, rate, shortName, tenths } from "../../data/format.js";
import { ProxyMark, proxyText, rowName } from "./box.js";
import { allFigures, graph, listed } from "./model.js";

const COLUMNS = [
  {
    id: "service",
    title: "Service",
    value: ({ box }) => box.name,
    cell: ({ box }) => html`<button type="button" class="mesh-link" title=${box.name} onClick=${() => change({ box: parameters.value.box === box.id ? null : box.id })}>${shortName(box.name)}</button>`,
  },
  { id: "space", title: "Namespace", value: ({ box }) => box.space },
  { id: "version", title: "Version", value: ({ box, row }) => rowName(row, box) },
  { id: "target", title: "Target", value: ({ row }) => row.share.target, cell: ({ row }) => percent(row.share.target), align: "end" },
  { id: "seen", title: "Seen share, 95 % interval", value: ({ row }) => row.share.seen, cell: ({ box, row: { share } }) => box.rows.length > 1 && html`<span class="share-row"><${ShareBar} ...${share} /><span class=${`share-figure ${verdict(share)}`}>${tenths(share.seen)}</span></span>` },
  { id: "rate", title: "Requests", value: ({ row }) => row.rate, cell: ({ row }) => rate(row.rate), align: "end" },
  { id: "failed", title: "Errors", value: ({ row }) => (row.rate > 0 ? row.errors / row.rate : null), cell: ({ row }) => (row.rate > 0 ? percent(row.errors / row.rate) : "–"), align: "end" },
  { id: "p99", title: "p99", value: ({ row }) => row.p99, cell: ({ row }) => milliseconds(row.p99), align: "end" },
  {
    id: "proxies",
    title: "Proxies",
    value: ({ row }) => proxyText(row.proxies),
    cell: ({ row }) => html`<span class="row"><${ProxyMark} word=${row.proxy} title=${row.proxy} />${proxyText(row.proxies)}</span>`,
  },
  { id: "callers", title: "Called by", value: ({ callers }) => callers.join(", ") },
];

function rowsOf(boxes) {
  const callers = new Map();
  for (const { from, to } of graph.value.edges.values()) callers.set(to, [...(callers.get(to) ?? []), shortName(graph.value.boxes.get(from).name)]);
  return boxes.flatMap((box) => allFigures.value.get(box.id).rows.map((row) => ({ box, row, callers: callers.get(box.id) ?? [] })));
}

export const MeshTable = () =>
  html`<${Table} caption="Services and versions" columns=${COLUMNS} rows=${rowsOf([...listed.value.boxes.values()])}
    rowKey=${({ box, row }) => `${box.id} ${row.node}`} rowClass=${({ row }) => (row.proxy === "refused" ? "bad" : "")} order="service" />`;
