// One change: all of its resources, and when each proxy acknowledged it.

import { html } from "../../lib.js";
import { Badge, Time } from "../../components/basic.js";
import { Icon } from "../../components/icons.js";
import { KeyLink } from "../../components/resource_link.js";
import { amount, milliseconds, printable } from "../../data/format.js";
import { whole } from "../../data/mesh.js";
import { proxyHref } from "../../data/resources.js";
import { byTime, DOORS } from "./model.js";
import { Author, Converged } from "./parts.js";

const MOST_SHOWN = 200;

/** Addresses of proxies by their instance. */
function proxyLinks() {
  const links = new Map();
  for (const one of whole("proxies").values()) links.set(one.instance, proxyHref(one.mesh, one.kind, one.name, one.instance));
  return links;
}

function Proxy({ instance, time, slowest, link, ended }) {
  const width = time === null || slowest === 0 ? 0 : (100 * time) / slowest;
  const waiting = ended ? "disconnected before" : "waiting";
  return html`<li>
    ${link ? html`<a class="name" href=${link}><bdi>${printable(instance)}</bdi></a>` : html`<bdi class="name">${printable(instance)}</bdi>`}
    <span class="end">${time === null ? html`<${Badge} kind=${ended ? "" : "warn"}>${waiting}</${Badge}>` : milliseconds(time)}</span>
    <svg class="changes-bar" viewBox="0 0 100 3" preserveAspectRatio="none" aria-hidden="true"><rect width=${width} height="3" /></svg>
  </li>`;
}

export function Detail({ change, close }) {
  const times = byTime(change);
  const links = proxyLinks();
  const slowest = Math.max(0, ...times.map(({ time }) => time ?? 0));
  return html`<section class="card stack changes-detail" aria-labelledby="change-title">
    <div class="row">
      <h2 id="change-title">Revision ${change.revision}</h2>
      <button type="button" class="quiet changes-close" aria-label="Close" onClick=${close}><${Icon} name="close" /></button>
    </div>
    <dl class="facts">
      <dt>When</dt><dd><${Time} at=${change.at} />, <${Time} at=${change.at} ago=${true} /></dd>
      <dt>Who</dt><dd><${Author} ...${change} /></dd>
      <dt>Through</dt><dd>${DOORS[change.door] ?? change.door ?? "unknown"}</dd>
      <dt>All proxies had it after</dt><dd><${Converged} change=${change} /></dd>
    </dl>
    <h3>${amount(change.resources.length, "resource")}</h3>
    <ul class="changes-list">${change.resources.slice(0, MOST_SHOWN).map((text) => html`<li key=${text}><${KeyLink} text=${text} /></li>`)}</ul>
    <h3>${amount(times.length, "proxy", "proxies")}</h3>
    ${times.length === 0 && html`<p class="muted">It changed the configuration of no connected proxy.</p>`}
    <ul class="changes-times">${times.slice(0, MOST_SHOWN).map(
      (one) => html`<${Proxy} key=${one.instance} ...${one} slowest=${slowest} link=${links.get(one.instance)} ended=${change.converged} />`,
    )}</ul>
    ${times.length > MOST_SHOWN && html`<p class="muted">and ${times.length - MOST_SHOWN} more</p>`}
  </section>`;
}
