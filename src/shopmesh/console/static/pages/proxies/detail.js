// One proxy: how it stands, what it answered, and the configuration that it was sent.

import { html } from "../../lib.js";
import { Command, Empty, Time } from "../../components/basic.js";
import { ResourceLink } from "../../components/resource_link.js";
import { href, parameters } from "../../data/address.js";
import { printable } from "../../data/format.js";
import { mesh } from "../../data/mesh.js";
import { Configuration } from "./configuration.js";
import { proxyPath, refusals, stateOf, titleOf, TYPES, typeOf } from "./model.js";
import { Responses } from "./responses.js";
import { State } from "./table.js";

const back = () => html`<a href=${href("proxies", { mesh: mesh.value })}>Proxies</a>`;

const Gone = ({ asked }) => html`<div class="page-head"><h1>${back()} / <bdi>${printable(asked)}</bdi></h1></div>
  <div class="card"><${Empty} title="There is no such proxy">It may have been stopped, or withdrawn from the mesh.</${Empty}></div>`;

function Facts({ proxy }) {
  return html`<div class="card proxies-facts"><dl class="facts">
    <dt>State</dt><dd><${State} proxy=${proxy} /> <span class="muted">${stateOf(proxy).text}</span></dd>
    <dt>Belongs to</dt><dd><${ResourceLink} kind=${proxy.kind} path=${[proxy.mesh, proxy.name]} /></dd>
    <dt>Connected</dt><dd><${Time} at=${proxy.since} />${proxy.since !== null && html`, <${Time} at=${proxy.since} ago=${true} />`}</dd>
    <dt>Address</dt><dd>${proxy.address ?? "–"}</dd>
    <dt>Endpoint</dt><dd>${proxy.declared ? "yes, other proxies send requests to it" : "no, other proxies send nothing to it"}</dd>
    <dt>In a terminal</dt><dd><${Command} text=${`shopmesh proxy-config ${proxy.instance}`} /></dd>
  </dl><dl class="facts">
    ${TYPES.map((type) => html`<dt key=${type}>${titleOf(type)}</dt><dd class=${typeOf(proxy, type).kind === "good" ? "" : typeOf(proxy, type).kind}>${typeOf(proxy, type).text}</dd>`)}
  </dl></div>`;
}

const Refused = ({ proxy }) =>
  refusals(proxy).map(
    (nack) => html`<section key=${nack.type} class="notice bad proxies-refusals" role="alert">
      <h2>Envoy refused its ${nack.type}, <${Time} at=${nack.at} /></h2>
      <p class="proxies-said"><bdi>${printable(nack.message)}</bdi></p>
    </section>`,
  );

/** Changes whenever the proxy was sent or acknowledged anything. */
const versionOf = (proxy) => JSON.stringify([proxy.types, refusals(proxy), proxy.since]);

export function Detail({ asked, proxy }) {
  if (!proxy) return html`<${Gone} asked=${asked} />`;
  const path = proxyPath(proxy);
  const version = versionOf(proxy);
  const type = TYPES.includes(parameters.value.type) ? parameters.value.type : TYPES[0];
  return html`<div class="page-head"><h1>${back()} / <bdi class="name">${printable(proxy.instance)}</bdi></h1></div>
    <div class="stack">
      <${Refused} proxy=${proxy} />
      <${Facts} proxy=${proxy} />
      <${Responses} path=${path} version=${version} />
      <${Configuration} path=${path} version=${version} proxy=${proxy} type=${type} />
    </div>`;
}
