// Beside the map: all about one box. The address says which.

import { computed, html, useEffect, useRef } from "../../lib.js";
import { Badge, Copy, Time } from "../../components/basic.js";
import { Icon } from "../../components/icons.js";
import { Share, sentence } from "../../components/share.js";
import { change, href, parameters } from "../../data/address.js";
import { amount, count, milliseconds, percent, rate, shortName } from "../../data/format.js";
import { inMesh, mesh, whole } from "../../data/mesh.js";
import { ProxyMark, isLoud, proxyText, rowName } from "./box.js";
import { shareOf } from "./figures.js";
import { allFigures, graph } from "./model.js";

/** ID of the box whose panel is open, or null. */
export const chosen = computed(() => (graph.value.boxes.has(parameters.value.box) ? parameters.value.box : null));

const close = () => {
  const id = chosen.value;
  change({ box: null });
  document.querySelector(`[data-box="${CSS.escape(id)}"]`)?.focus();
};

const failedShare = ({ rate: all, errors }) => (all > 0 ? percent(errors / all) : "–");

function Version({ row, box }) {
  return html`<li class="mesh-panel-version">
    <div class="row"><strong>${rowName(row, box)}</strong>${rowName(row, box) !== row.node && html`<span class="muted small">${row.node}</span>`}</div>
    <div class="row small"><${ProxyMark} word=${row.proxy} title=${proxyText(row.proxies)} /><span>${proxyText(row.proxies)}</span></div>
    <dl class="mesh-panel-figures">
      <div><dt>now</dt><dd>${rate(row.rate)}</dd></div>
      <div><dt>failed</dt><dd class=${row.errors > 0 ? "bad" : ""}>${failedShare(row)}</dd></div>
      <div><dt>p99</dt><dd>${milliseconds(row.p99)}</dd></div>
    </dl>
    ${row.proxies.refusals.map(
      (nack) => html`<div class="notice bad small" key=${nack.instance + nack.type}>
        <strong>${nack.instance} refused ${nack.type}</strong>, <${Time} at=${nack.at} ago=${true} />:
        <p class="mesh-envoy-text">${nack.message}</p>
        It keeps the configuration that it had.
      </div>`,
    )}
  </li>`;
}

function RouteShares({ id }) {
  const route = inMesh("routes").value.get(id);
  const figure = inMesh("figures").value.get(id);
  if (!route) return null;
  return html`<li>
    ${route.route && html`<div class="row small"><strong>${route.route}</strong><span class="muted">${route.match}</span></div>`}
    ${route.targets.map((target) => {
      const share = shareOf(route, figure, target.virtualNode);
      return html`<div class="mesh-panel-share" key=${`${target.virtualNode} ${target.port}`}>
        <span class="mesh-panel-node">${target.virtualNode}</span><${Share} ...${share} />
        <span class="only-read">${sentence(share)}</span>
      </div>`;
    })}
  </li>`;
}

const boxLink = (id) => href("mesh", { ...parameters.value, box: id });

function Neighbours({ id, title, ends, other }) {
  const boxes = [...graph.value.edges.values()].filter((edge) => edge[ends] === id).map((edge) => graph.value.boxes.get(edge[other]));
  if (boxes.length === 0) return null;
  return html`<section>
    <h3>${title}</h3>
    <ul class="mesh-panel-links">${boxes.map((box) => html`<li key=${box.id}>${box.kind === "outside" ? "outside" : html`<a href=${boxLink(box.id)} title=${box.name}>${shortName(box.name)}</a>`}</li>`)}</ul>
  </section>`;
}

/** Findings about the service, its routes, its nodes or their proxies. */
function findingsOf(box) {
  const routes = box.routes.map((id) => inMesh("routes").value.get(id)).filter(Boolean);
  const names = new Set([box.name, ...routes.flatMap(({ virtualRouter, route }) => [virtualRouter, `${virtualRouter}/${route}`])]);
  const nodes = new Set(box.rows.map(({ node }) => node));
  const isAbout = ({ path = [] }) => names.has(path.slice(1).join("/")) || path.slice(1).some((part) => nodes.has(part));
  return [...whole("findings").values()].filter((found) => found.mesh === mesh.value && isAbout(found));
}

function Findings({ box }) {
  const found = findingsOf(box);
  if (found.length === 0) return null;
  return html`<section>
    <h3>Findings</h3>
    <ul class="stack small">${found.map((one) => html`<li key=${one.code + one.where}><${Badge} kind=${one.severity === "error" ? "bad" : "warn"}>${one.code}</${Badge}> ${one.what}</li>`)}</ul>
    <a class="small" href=${href("findings", { mesh: mesh.value, filter: box.rows[0]?.node })}>Show what to do</a>
  </section>`;
}

const KINDS = { service: "virtual service", gateway: "virtual gateway", node: "virtual node" };

function Content({ box, figures }) {
  const focused = parameters.value.focus === box.id;
  return html`
    <div class="row">
      ${box.kind === "service" && html`<a class="button" href=${href("traffic", { mesh: mesh.value, service: box.name })}><${Icon} name="traffic" />Traffic</a>`}
      <button type="button" aria-pressed=${focused} onClick=${() => change({ focus: focused ? null : box.id })}>${focused ? "Show all again" : "Only neighbours"}</button>
    </div>
    ${figures.wrong.length > 0 && html`<ul class=${`notice ${isLoud(figures) ? "bad" : "warn"} small`}>${figures.wrong.map((text) => html`<li key=${text}>${text}</li>`)}</ul>`}
    ${box.routes.length > 0 &&
    html`<section><h3>${box.routes.length > 1 ? "Routes: target and seen share" : "Target and seen share"}</h3><ul class="stack">${box.routes.map((id) => html`<${RouteShares} key=${id} id=${id} />`)}</ul></section>`}
    <section><h3>${box.kind === "service" ? amount(figures.rows.length, "version") : "Proxies"}</h3>
      <ul class="stack">${figures.rows.map((row) => html`<${Version} key=${row.node} row=${row} box=${box} />`)}</ul>
      <a class="small" href=${href("proxies", { mesh: mesh.value, filter: figures.rows[0]?.node })}>All about its proxies</a>
    </section>
    <${Findings} box=${box} />
    <${Neighbours} id=${box.id} title="Called by" ends="to" other="from" />
    <${Neighbours} id=${box.id} title="Calls" ends="from" other="to" />`;
}

export function Panel() {
  const heading = useRef(null);
  const id = chosen.value;
  useEffect(() => {
    if (id) heading.current?.focus({ preventScroll: true });
  }, [id]);
  if (!id) return null;
  const box = graph.value.boxes.get(id);
  const figures = allFigures.value.get(id);
  const onKeyDown = (event) => event.key === "Escape" && close();
  return html`<aside class="mesh-panel" aria-label=${`About ${box.name}`} onKeyDown=${onKeyDown}>
    <header>
      <div>
        <h2 tabindex="-1" ref=${heading}>${box.kind === "service" ? shortName(box.name) : box.name}</h2>
        <p class="muted small">${KINDS[box.kind]} ${box.name} <${Copy} text=${box.name} label="Copy name" /></p>
      </div>
      <button type="button" class="quiet" aria-label="Close" onClick=${close}><${Icon} name="close" /></button>
    </header>
    <div class="mesh-panel-body">
      <p><strong>${rate(figures.rate)}</strong> <span class="muted">now, ${failedShare(figures)} failed, p99 ${milliseconds(figures.p99)}</span></p>
      <${Content} box=${box} figures=${figures} />
    </div>
  </aside>`;
}
