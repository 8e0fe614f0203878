// Who changed what, through which door, and how long until all proxies had it. Live.

import { html, useMemo, useState } from "../../lib.js";
import { Badge, Empty, Time } from "../../components/basic.js";
import { KeyLink } from "../../components/resource_link.js";
import { Table } from "../../components/table.js";
import { change, href, parameters } from "../../data/address.js";
import { get } from "../../data/api.js";
import { mesh, whole } from "../../data/mesh.js";
import { toast } from "../../components/toast.js";
import { Detail } from "./detail.js";
import { DOORS, inMesh, isOfProxies } from "./model.js";
import { Author, Converged } from "./parts.js";

const MOST_NAMED = 3;

/** The 50 changes of the stream, and on demand all that the control plane remembers. */
function useChanges() {
  const [older, setOlder] = useState(null);
  const live = whole("changes");
  const rows = useMemo(() => {
    const found = new Map((older ?? []).map((one) => [String(one.revision), one]));
    for (const [id, one] of live) found.set(id, one);
    return [...found.values()];
  }, [live, older]);
  const load = () =>
    get("/shopmesh/v1/changes?after=0").then(
      (answer) => setOlder(answer.changes),
      (error) => toast(error.message, { kind: "bad" }),
    );
  return { rows, load: older === null ? load : null };
}

function Resources({ texts }) {
  const more = texts.length - MOST_NAMED;
  return html`<ul class="changes-resources">
    ${texts.slice(0, MOST_NAMED).map((text) => html`<li key=${text}><${KeyLink} text=${text} /></li>`)}
    ${more > 0 && html`<li class="muted small">and ${more} more</li>`}
  </ul>`;
}

const selectHref = (revision) => href("changes", { ...parameters.value, revision });

const COLUMNS = [
  {
    id: "revision",
    title: "Revision",
    align: "end narrow",
    value: (row) => row.revision,
    cell: (row) => html`<a href=${selectHref(row.revision)} aria-label=${`Revision ${row.revision}: details`}>${row.revision}</a>`,
  },
  { id: "at", title: "When", value: (row) => row.at, cell: (row) => html`<${Time} at=${row.at} />` },
  { id: "who", title: "Who", value: (row) => row.author ?? "", cell: (row) => html`<${Author} ...${row} />` },
  {
    id: "door",
    title: "Through",
    value: (row) => row.door ?? "",
    cell: (row) => (row.door ? html`<${Badge}>${DOORS[row.door] ?? row.door}</${Badge}>` : html`<span class="muted">unknown</span>`),
  },
  { id: "what", title: "Resources", value: (row) => row.resources.join(" "), cell: (row) => html`<${Resources} texts=${row.resources} />` },
  {
    id: "took",
    title: "All proxies had it after",
    align: "end",
    value: (row) => row.milliseconds,
    cell: (row) => html`<${Converged} change=${row} />`,
  },
];

function Proxies({ hidden }) {
  const shown = parameters.value.proxies === "shown";
  return html`<label><input type="checkbox" checked=${shown}
      onChange=${(event) => change({ proxies: event.target.checked ? "shown" : null })} />
    Proxies that came and went${hidden > 0 && html` <span class="muted">(${hidden})</span>`}</label>`;
}

export function Page() {
  const { rows, load } = useChanges();
  const ours = useMemo(() => rows.filter((row) => inMesh(row, mesh.value)), [rows, mesh.value]);
  const withProxies = parameters.value.proxies === "shown";
  const shown = useMemo(() => (withProxies ? ours : ours.filter((row) => !isOfProxies(row))), [ours, withProxies]);
  const selected = rows.find(({ revision }) => String(revision) === parameters.value.revision);
  const hidden = ours.filter(isOfProxies).length;
  return html`<div class="page-head"><h1>Changes</h1>${load && html`<button type="button" onClick=${load}>Load older changes</button>`}</div>
    <div class=${selected ? "changes-split" : "stack"}>
      <div class="stack">
        <${Table} caption="Changes" columns=${COLUMNS} rows=${shown} rowKey=${(row) => row.revision} order="-revision"
          tools=${html`<${Proxies} hidden=${hidden} />`}
          rowClass=${(row) => (row === selected ? "selected" : "")}
          empty=${html`<${Empty} title="No change is remembered">A change that anybody makes appears here at once.</${Empty}>`} />
        <p class="muted small">Authors, times and acknowledgements are kept in memory, by each replica of the control plane for itself: a restart loses them. What was written stays in the store.</p>
      </div>
      ${selected && html`<${Detail} key=${selected.revision} change=${selected} close=${() => change({ revision: null })} />`}
    </div>`;
}
