// What is wrong: each finding with why it hurts and what to do, errors first. What `shopmesh doctor` says, live.

import { html, useMemo } from "../../lib.js";
import { Command, Copy, Empty } from "../../components/basic.js";
import { Choice } from "../../components/choice.js";
import { Search } from "../../components/search.js";
import { change, parameters } from "../../data/address.js";
import { amount } from "../../data/format.js";
import { mesh, whole } from "../../data/mesh.js";
import { Finding } from "./finding.js";
import { asText, choose, ORDERS, ofMesh } from "./model.js";

const SEVERITIES = { "": "all", error: "errors", warning: "warnings" };

function Tools({ found, shown }) {
  return html`<div class="table-tools">
    <${Choice} label="Severity" options=${SEVERITIES} name="severity"
      count=${(id) => found.filter((one) => !id || one.severity === id).length} />
    <${Search} label="Filter findings" name="filter" />
    <label>Sort by <select value=${parameters.value.sort ?? "severity"} onChange=${(event) => change({ sort: event.target.value })}>
      ${Object.keys(ORDERS).map((id) => html`<option key=${id} value=${id}>${id}</option>`)}
    </select></label>
    <span class="muted table-count" role="status">${shown.length < found.length && `${shown.length} of `}${amount(found.length, "finding")}</span>
    <${Copy} text=${() => asText(shown)} label="Copy findings" />
  </div>`;
}

export function Page() {
  const all = whole("findings");
  const found = useMemo(() => ofMesh([...all.values()], mesh.value), [all, mesh.value]);
  const { severity = "", filter = "", sort = "severity" } = parameters.value;
  const shown = useMemo(() => choose(found, { severity, filter, sort }), [found, severity, filter, sort]);
  return html`<div class="page-head"><h1>Findings</h1></div>
    ${found.length === 0
      ? html`<div class="card"><${Empty} title="No findings">
          <p>What is found in the resources, and in what proxies say of themselves, appears here within a minute or two.
            Requests that fail are on the pages Mesh and Traffic at once.</p>
        </${Empty}></div>`
      : html`<div class="stack">
          <${Tools} found=${found} shown=${shown} />
          <ol class="findings-list">${shown.map((one) => html`<${Finding} key=${`${one.code} ${one.where} ${one.what}`} finding=${one} />`)}</ol>
          ${shown.length === 0 && html`<div class="card"><${Empty} title="No finding matches the filter" /></div>`}
        </div>`}
    <p class="muted small findings-note">In a terminal, <${Command} text="shopmesh doctor" /> also checks the machine on which it runs.</p>`;
}
