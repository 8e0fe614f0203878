// All proxies: in sync or not, by type; and one of them with its answers and its configuration.

import { html, useMemo } from "../../lib.js";
import { Empty, Time } from "../../components/basic.js";
import { ResourceLink } from "../../components/resource_link.js";
import { parameters } from "../../data/address.js";
import { amount, printable } from "../../data/format.js";
import { inMesh, mesh } from "../../data/mesh.js";
import { Detail } from "./detail.js";
import { findProxy, refusals } from "./model.js";
import { ProxyTable } from "./table.js";

const MOST_SHOWN = 5;

/** Every refusal of the mesh, before anything else on the page. */
function Refusals({ proxies }) {
  const found = proxies.flatMap((proxy) => refusals(proxy).map((nack) => ({ proxy, nack })));
  if (found.length === 0) return null;
  return html`<section class="notice bad proxies-refusals" role="alert" aria-label="Refusals">
    <h2>${amount(found.length, "NACK")}: Envoy refused what it was sent, and keeps its last good configuration</h2>
    <ul>${found.slice(0, MOST_SHOWN).map(
      ({ proxy, nack }) => html`<li key=${`${proxy.instance} ${nack.type}`}>
        <${ResourceLink} kind="instance" path=${[proxy.mesh, proxy.kind, proxy.name, proxy.instance]} /> ${nack.type}, <${Time} at=${nack.at} />
        <p class="proxies-said"><bdi>${printable(nack.message)}</bdi></p>
      </li>`,
    )}</ul>
    ${found.length > MOST_SHOWN && html`<p>and ${found.length - MOST_SHOWN} more: sort the table by state</p>`}
  </section>`;
}

export function Page() {
  const documents = inMesh("proxies").value;
  const proxies = useMemo(() => [...documents.values()], [documents]);
  const asked = parameters.value.proxy;
  if (asked) return html`<${Detail} key=${asked} asked=${asked} proxy=${findProxy(proxies, mesh.value, asked)} />`;
  return html`<div class="page-head"><h1>Proxies</h1></div>
    <div class="stack">
      <${Refusals} proxies=${proxies} />
      ${proxies.length === 0
        ? html`<div class="card"><${Empty} title="No proxy is connected">Start workloads with their sidecars: <code>shopmesh up</code> does on this machine.</${Empty}></div>`
        : html`<${ProxyTable} proxies=${proxies} />`}
    </div>`;
}
