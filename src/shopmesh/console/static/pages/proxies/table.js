// The table of all proxies of a mesh.

import { html } from "../../lib.js";
import { Badge, Time } from "../../components/basic.js";
import { ResourceLink } from "../../components/resource_link.js";
import { Table } from "../../components/table.js";
import { short, stateOf, titleOf, TYPES, typeOf } from "./model.js";

const ORDER = { bad: 0, warn: 1, good: 2 };

/** The version of a type: the same sent and acknowledged once, different ones with an arrow between them. */
function Version({ proxy, type }) {
  const { sent, acked, nack, kind, text } = typeOf(proxy, type);
  if (nack) return html`<${Badge} kind="bad" title=${text}>NACK</${Badge}>`;
  if (kind === "") return html`<span class="muted" title=${text}>–</span>`;
  if (kind === "good") return html`<code class="proxies-version" title=${text}>${short(sent)}</code>`;
  return html`<code class="proxies-version warn" title=${text}>${short(acked) || "none"} → ${short(sent)}</code>`;
}

export function State({ proxy }) {
  const { kind, word, text } = stateOf(proxy);
  return html`<${Badge} kind=${kind} title=${text}>${word}</${Badge}>`;
}

const COLUMNS = [
  {
    id: "proxy",
    title: "Proxy",
    value: (row) => row.instance,
    cell: (row) => html`<${ResourceLink} bare=${true} kind="instance" path=${[row.mesh, row.kind, row.name, row.instance]} />`,
  },
  {
    id: "of",
    title: "Belongs to",
    value: (row) => row.name,
    cell: (row) => html`<${ResourceLink} bare=${row.kind === "virtualNode"} kind=${row.kind} path=${[row.mesh, row.name]} />`,
  },
  {
    id: "state",
    title: "State",
    value: (row) => `${ORDER[stateOf(row).kind]} ${stateOf(row).word}`,
    cell: (row) => html`<${State} proxy=${row} />`,
  },
  ...TYPES.map((type) => ({
    id: type,
    title: titleOf(type),
    value: (row) => `${typeOf(row, type).acked} ${typeOf(row, type).sent}`.trim() || null,
    cell: (row) => html`<${Version} proxy=${row} type=${type} />`,
  })),
  {
    id: "since",
    title: "Connected",
    align: "end",
    value: (row) => row.since,
    cell: (row) => html`<${Time} at=${row.since} ago=${true} />`,
  },
  { id: "address", title: "Address", align: "end", value: (row) => row.address },
];

export const ProxyTable = ({ proxies }) =>
  html`<${Table} caption="Proxies" columns=${COLUMNS} rows=${proxies} order="state"
    rowKey=${(row) => `${row.kind}/${row.name}/${row.instance}`} rowClass=${(row) => (stateOf(row).kind === "bad" ? "bad" : "")} />`;
