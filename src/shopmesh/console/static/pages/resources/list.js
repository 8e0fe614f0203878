// The table of all resources of a mesh, or of one kind.

import { html, useMemo } from "../../lib.js";
import { Badge, Empty, Loading, Problem, Time } from "../../components/basic.js";
import { Choice } from "../../components/choice.js";
import { ResourceLink } from "../../components/resource_link.js";
import { Table } from "../../components/table.js";
import { go, parameters } from "../../data/address.js";
import { useAnswer } from "../../data/answer.js";
import { amount, printable } from "../../data/format.js";
import { state } from "../../data/live.js";
import { mesh, whole } from "../../data/mesh.js";
import { KINDS, nameOf } from "../../data/resources.js";
import { readOnly } from "../../data/session.js";

const keyOf = ({ kind, path }) => `${kind} ${path.join("/")}`;

/** How many findings each resource has, errors apart: {errors, all} by key. */
function findingsByKey() {
  const found = new Map();
  for (const one of whole("findings").values()) {
    const counts = found.get(keyOf(one)) ?? { errors: 0, all: 0 };
    counts.all += 1;
    if (one.severity === "error") counts.errors += 1;
    found.set(keyOf(one), counts);
  }
  return found;
}

const Findings = ({ counts }) =>
  counts && html`<${Badge} kind=${counts.errors > 0 ? "bad" : "warn"}>${amount(counts.all, "finding")}</${Badge}>`;

const columnsWith = (findings) => [
  { id: "kind", title: "Kind", align: "narrow", value: (row) => KINDS[row.kind], cell: (row) => html`<span class="muted">${KINDS[row.kind]}</span>` },
  { id: "name", title: "Name", value: (row) => nameOf(row.path), cell: (row) => html`<${ResourceLink} bare=${true} kind=${row.kind} path=${row.path} />` },
  { id: "summary", title: "In short", value: (row) => row.summary, cell: (row) => html`<bdi class="resources-summary">${printable(row.summary)}</bdi>` },
  {
    id: "findings",
    title: "Findings",
    value: (row) => findings.get(keyOf(row))?.all ?? null,
    cell: (row) => html`<${Findings} counts=${findings.get(keyOf(row))} />`,
  },
  { id: "version", title: "Version", align: "end", value: (row) => row.version },
  { id: "updated", title: "Changed", align: "end", value: (row) => row.updatedAt, cell: (row) => html`<${Time} at=${row.updatedAt} />` },
];

const Create = ({ kind }) =>
  !readOnly.value && html`<button type="button" class="main" onClick=${() => go("resources", { create: kind || "virtualNode" })}>Create</button>`;

export function List() {
  const { answer, error, loading, again } = useAnswer(`/shopmesh/v1/resources?mesh=${encodeURIComponent(mesh.value)}`, state.revision.value);
  const all = answer?.resources ?? [];
  const kind = parameters.value.kind ?? "";
  const findings = whole("findings");
  const rows = useMemo(() => (kind ? all.filter((row) => row.kind === kind) : all), [answer, kind]);
  const columns = useMemo(() => columnsWith(findingsByKey()), [findings]);
  return html`<div class="page-head"><h1>Resources</h1><${Create} kind=${kind} /></div>
    ${error && !answer && html`<${Problem} error=${error} retry=${again} />`}
    ${loading && html`<${Loading} what="the resources" />`}
    ${answer &&
    html`<div class="stack">
      <${Choice} label="Kind" options=${{ "": "all", ...KINDS }} name="kind"
        count=${(id) => (id ? all.filter((row) => row.kind === id) : all).length} />
      <${Table} caption="Resources" columns=${columns} rows=${rows} rowKey=${keyOf} order="kind"
        empty=${html`<${Empty} title=${`The mesh has no ${KINDS[kind] ?? "resource"}`} />`} />
    </div>`}`;
}
