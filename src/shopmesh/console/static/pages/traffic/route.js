// One route: its weights to move, the change before and after it is made, its canary, and the last minutes.

import { html, useEffect } from "../../lib.js";
import { Empty, Loading, Problem, Refusal, Time } from "../../components/basic.js";
import { href } from "../../data/address.js";
import { printable } from "../../data/format.js";
import { state } from "../../data/live.js";
import { inMesh, whole } from "../../data/mesh.js";
import { resourceHref } from "../../data/resources.js";
import { readOnly } from "../../data/session.js";
import { Applied, Conflict } from "./applied.js";
import { CanaryCard } from "./canary.js";
import { editorOf } from "./editor.js";
import { fromLive, sumFlows } from "./logic/series.js";
import { matchOf, titleOf } from "./names.js";
import { Plots } from "./plots.js";
import { Preview } from "./preview.js";
import { Shares } from "./shares.js";

function Head({ route, countedBy }) {
  const { mesh, virtualService, virtualRouter, route: name, priority } = route;
  const several = virtualRouter && [...inMesh("routes").value.values()].filter((other) => other.virtualRouter === virtualRouter).length > 1;
  return html`<div class="page-head">
      <h1><a href=${href("traffic", { mesh })}>Traffic</a> <span class="muted">/</span> ${titleOf(route)}</h1>
      <span class="muted small">${countedBy === "t" ? "no proxy of the mesh calls it: the Envoys of its targets count" : "counted by the callers' Envoys"}</span>
    </div>
    <p class="muted traffic-facts">
      <bdi>${printable(virtualService ?? "no virtual service leads here")}</bdi>
      ${name && html`<a href=${resourceHref("route", [mesh, virtualRouter, name])}>${printable(`route ${virtualRouter}/${name}`)}</a>
        <span>version ${route.version}</span>`}
      <span>${matchOf(route)}</span>
      ${Number.isFinite(priority) && html`<span>priority ${priority}</span>`}
      <span>changed <${Time} at=${route.updatedAt} ago=${true} /></span>
      ${several && html`<a href=${href("traffic", { mesh, filter: titleOf(route) })}>all routes of this router</a>`}
    </p>`;
}

/** The change that is prepared: its forms, and the button that makes it. */
function Change({ id, editor, route }) {
  const { version } = editor.loaded.value.route.metadata;
  return html`<section class="card stack" aria-label="Preview of the change">
    <div class="row"><h2>Preview</h2><span class="muted traffic-start">nothing is sent yet</span>
      <span class="row"><button type="button" onClick=${() => editor.reset()}>Cancel</button>
        <button type="button" class="main" disabled=${editor.busy.value} onClick=${() => editor.apply()}>Apply</button></span>
    </div>
    <${Refusal} error=${editor.problem.value} />
    ${route.version > version &&
    html`<p class="notice warn" role="status">Somebody else has changed the route: it is at version ${route.version} now, this is a change of
      version ${version} and will be refused. ${" "}<button type="button" onClick=${() => editor.reset()}>Start from version ${route.version}</button></p>`}
    ${whole("canaries").get(id)?.phase === "running" && html`<p class="notice warn">A canary moves these weights. Other weights stop it.</p>`}
    <${Preview} editor=${editor} />
  </section>`;
}

/** The weights of a route of a virtual router, which are the ones that can be moved. */
function Weighted({ id, route, live, reason }) {
  const editor = editorOf(id);
  useEffect(() => {
    if (editor.loaded.peek()?.route.metadata.version !== route.version) editor.load();
  }, [id, route.version]);
  const problem = editor.problem.value;
  if (!editor.loaded.value) return problem ? html`<${Problem} error=${problem} retry=${() => editor.load()} />` : html`<${Loading} what="the route" />`;
  return html`<${Shares} editor=${editor} route=${route} live=${live} readOnly=${reason} />
    ${editor.draft.value
      ? html`<${Change} id=${id} editor=${editor} route=${route} />`
      : editor.applied.value && html`<${Applied} editor=${editor} version=${route.version} readOnly=${reason} />`}
    ${editor.conflict.value && html`<${Conflict} editor=${editor} />`}
    <${CanaryCard} id=${id} route=${route} readOnly=${reason} />`;
}

export function RoutePage({ id }) {
  const route = inMesh("routes").value.get(id);
  if (!route) return html`<${Empty} title="There is no such route"><p><a href=${href("traffic")}>All routes</a></p></${Empty}>`;
  const figures = inMesh("figures").value.get(id);
  const live = fromLive(route, figures, sumFlows(inMesh("flows").value), state.at.value);
  const reason = readOnly.value ? "This console is read-only, so nothing can be moved here. The control plane's option --console on allows it." : null;
  return html`<${Head} route=${route} countedBy=${figures?.[1]} />
    <div class="stack">
      ${route.route
        ? html`<${Weighted} id=${id} route=${route} live=${live} reason=${reason} />`
        : html`<p class="notice">One virtual node provides this service. Weights need a virtual router before it.</p>`}
      <${Plots} route=${route} live=${live} />
    </div>`;
}
