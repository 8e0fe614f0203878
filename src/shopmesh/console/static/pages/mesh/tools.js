// Above the map: the mesh in one line, and what is shown of it.

import { computed, html } from "../../lib.js";
import { Badge } from "../../components/basic.js";
import { Choice } from "../../components/choice.js";
import { Icon } from "../../components/icons.js";
import { Search } from "../../components/search.js";
import { change, parameters } from "../../data/address.js";
import { amount, count, percent, rate, shortName } from "../../data/format.js";
import { inMesh } from "../../data/mesh.js";
import { OUTSIDE } from "./graph.js";
import { allFigures, entering, graph, isGroups } from "./model.js";

const summary = computed(() => {
  const boxes = [...graph.value.boxes.values()];
  const services = boxes.filter(({ kind }) => kind === "service");
  const proxies = [...inMesh("proxies").value.values()];
  const all = [...allFigures.value].filter(([id]) => id !== OUTSIDE).map(([, figures]) => figures);
  return {
    services: services.length,
    versions: services.reduce((sum, { rows }) => sum + rows.length, 0),
    proxies: proxies.length,
    inSync: proxies.filter(({ inStep, connected }) => inStep && connected).length,
    refused: proxies.filter(({ refused }) => refused).length,
    ...entering.value,
    wrong: all.filter(({ wrong }) => wrong.length > 0).length,
  };
});

export function Summary() {
  const { services, versions, proxies, inSync, refused, rate: coming, errors } = summary.value;
  return html`<ul class="mesh-summary">
    <li><strong>${count(services)}</strong> ${services === 1 ? "service" : "services"}, <strong>${count(versions)}</strong> ${versions === 1 ? "version" : "versions"}</li>
    ${graph.value.boxes.has(OUTSIDE) &&
    html`<li><strong>${rate(coming)}</strong> come in${coming > 0 && html`, <strong class=${errors > 0 ? "bad" : ""}>${percent(errors / coming)}</strong> fail`}</li>`}
    <li>${refused > 0
      ? html`<${Badge} kind="bad">${amount(refused, "proxy", "proxies")} refused ${refused === 1 ? "its" : "their"} configuration</${Badge}>`
      : html`<${Badge} kind=${proxies === 0 ? "" : inSync < proxies ? "warn" : "good"}>${proxies === 0 ? "no proxy" : `${count(inSync)} of ${amount(proxies, "proxy", "proxies")} in sync`}</${Badge}>`}</li>
  </ul>`;
}

const hasSpaces = computed(() => new Set([...graph.value.boxes.values()].filter(({ kind }) => kind === "service").map(({ space }) => space)).size > 1);

function Chip({ text, remove }) {
  return html`<span class="mesh-chip">${text}<button type="button" class="quiet" aria-label=${`Remove: ${text}`} onClick=${remove}><${Icon} name="close" /></button></span>`;
}

export function Tools() {
  const { q, show, focus, view, open, group } = parameters.value;
  const focused = graph.value.boxes.get(focus);
  const grouping = () => change({ group: isGroups.value ? "no" : "yes", open: null });
  const opened = (open ?? "").split(",").filter(Boolean);
  return html`<div class="mesh-tools">
    <${Search} label="Filter services by name or namespace" placeholder="Name or namespace" name="q" />
    <${Choice} label="Which services" name="show" options=${{ "": "All", traffic: "With traffic", wrong: `Needs attention (${summary.value.wrong})` }} />
    ${hasSpaces.value && view !== "table" && html`<button type="button" aria-pressed=${isGroups.value} disabled=${Boolean(q || show || focus)} onClick=${grouping}>Group by namespace</button>`}
    ${focused && html`<${Chip} text=${`${shortName(focused.name)} and its neighbours`} remove=${() => change({ focus: null })} />`}
    ${isGroups.value && opened.map((space) => html`<${Chip} key=${space} text=${`namespace ${space}`} remove=${() => change({ open: opened.filter((one) => one !== space).join(",") })} />`)}
    <span class="mesh-view"><${Choice} label="Form" name="view" options=${{ "": "Map", table: "As a table" }} /></span>
  </div>`;
}
