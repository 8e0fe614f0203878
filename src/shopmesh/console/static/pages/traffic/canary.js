// The canary of a route: its stages, its verdict and the counts behind it, and what a person can do with it.

import { html, useEffect, useState } from "../../lib.js";
import { Badge, Time } from "../../components/basic.js";
import { toast } from "../../components/toast.js";
import { send } from "../../data/api.js";
import { count, duration, milliseconds, percent, printable } from "../../data/format.js";
import { whole } from "../../data/mesh.js";
import { CONTROL_PLANE, badgeOf, boundsOf, obstacleOf, stagesOf } from "./logic/canary.js";
import { PlanForm } from "./plan_form.js";

const WORDS = { done: "passed", now: "now", next: "to come", failed: "ended here" };

const Stages = ({ canary }) =>
  html`<ol class="traffic-stages" aria-label="Stages">
    ${stagesOf(canary).map(
      ({ label, is }) => html`<li key=${label} class=${is} aria-current=${is === "now" ? "step" : undefined}>
        <span>${printable(label)}</span><span class="only-read"> ${WORDS[is]}</span>
      </li>`,
    )}
  </ol>`;

/** A table of texts; the first column names the row. */
const Grid = ({ caption, head, rows }) =>
  html`<div class="table-scroll" tabindex="0" role="region" aria-label=${caption}><table>
    <caption class="only-read">${caption}</caption>
    <thead><tr>${head.map((title, at) => html`<th key=${at} scope="col" class=${at > 0 ? "end" : ""}>${title}</th>`)}</tr></thead>
    <tbody>${rows.map(
      ([title, ...cells], at) => html`<tr key=${at}>
        <th scope="row">${printable(title)}</th>${cells.map((cell, column) => html`<td key=${column} class="end">${cell}</td>`)}
      </tr>`,
    )}</tbody>
  </table></div>`;

function Counts({ canary: { plan, seen, stable } }) {
  const others = stable.filter(({ weight, virtualNode }) => weight > 0 && virtualNode !== plan.to).map(({ virtualNode }) => virtualNode);
  const slow = (cell) => (plan.maxP99 ? [cell] : []);
  const row = (title, { requests, errors, slower, p99 }) => {
    const failed = percent(requests > 0 ? errors / requests : null);
    return [title, count(requests), count(errors), failed, ...slow(count(slower)), milliseconds(p99)];
  };
  const head = ["In this stage", "Requests", "Errors", "Error rate", ...slow("Too slow"), "p99"];
  const rows = [row(`canary ${plan.to}`, seen.canary), row(`stable ${others.join(", ")}`, seen.stable)];
  return html`<${Grid} caption="Counts of this stage" head=${head} rows=${rows} />`;
}

function History({ canary: { history } }) {
  if (history.length === 0) return null;
  const side = (counts) => (counts ? `${count(counts.errors)} of ${count(counts.requests)}` : "–");
  const rows = [...history].reverse().map((past) => [past.stage, printable(past.verdict), side(past.canary), side(past.stable), duration(past.until - past.since)]);
  return html`<${Grid} caption="Stages that have ended" head=${["Ended stage", "Verdict", "Canary failed", "Stable failed", "Took"]} rows=${rows} />`;
}

const KINDS = { advance: "good", "roll back": "bad" };

function Verdict({ canary }) {
  const { action, reason } = canary.verdict ?? {};
  return html`<div class="row" role="status">
    <${Badge} kind=${KINDS[action] ?? "accent"}>${action === "wait" ? "waiting" : action}</${Badge}>
    <span>${printable(reason)}${action === "advance" && canary.plan.manual && ", and waits for you to promote it"}</span>
  </div>`;
}

/** A button that asks the control plane for an action on the canary. */
function Action({ id, action, more, kind, children }) {
  const [busy, setBusy] = useState(false);
  const act = async () => {
    if (busy) return;
    setBusy(true);
    const asked = { action, reason: "by hand, in the console", owner: CONTROL_PLANE, ...more };
    await send("POST", `/shopmesh/v1/canaries/${id}`, asked).catch(({ message }) => toast(message, { kind: "bad" }));
    setBusy(false);
  };
  // Disabled it would lose the focus.
  return html`<button type="button" class=${kind} aria-disabled=${busy} onClick=${act}>${children}</button>`;
}

function Running({ id, canary, readOnly }) {
  return html`<${Verdict} canary=${canary} /><${Counts} canary=${canary} />
    ${!readOnly &&
    html`<div class="row">
      <${Action} id=${id} action=${canary.paused ? "resume" : "pause"}>${canary.paused ? "Continue" : "Pause"}</${Action}>
      <${Action} id=${id} action="advance" more=${{ stage: canary.stage }}>Promote to ${stagesOf(canary)[canary.stage + 1].label}</${Action}>
      <${Action} id=${id} action="roll back" kind="danger">Roll back</${Action}>
    </div>`}
    <p class="muted small">${
      canary.owner === CONTROL_PLANE
        ? "The control plane judges it once a second and moves it on: this page can be closed."
        : "A command, shopmesh canary, judges it: if that dies, the control plane rolls back. This page can be closed."
    }</p>`;
}

const Ended = ({ id, canary, readOnly }) =>
  html`<p>${printable(canary.reason)} <span class="muted small"><${Time} at=${canary.since} ago=${true} /></span></p>
    ${canary.phase === "expired" && !readOnly && html`<div class="row"><${Action} id=${id} action="resume">Repeat the stage</${Action}></div>`}`;

/** Whether any proxy of the mesh calls the service of a route: a node's backend or a gateway's route names it. */
function isCalled({ mesh, virtualService }) {
  const some = (collection, calls) => [...whole(collection).values()].some((one) => one.mesh === mesh && calls(one));
  return some("nodes", ({ backends }) => backends.includes(virtualService)) || some("gatewayRoutes", (one) => one.virtualService === virtualService);
}

export function CanaryCard({ id, route, readOnly }) {
  const [wanted, setPlanning] = useState(false);
  const canary = whole("canaries").get(id);
  const running = canary?.phase === "running";
  const planning = wanted && !running;
  const obstacle = obstacleOf(route, isCalled(route));
  const [kind, text] = canary ? badgeOf(canary) : [];
  useEffect(() => {
    // The canary may run, and even end, before its start is answered.
    if (running) setPlanning(false);
  }, [running]);
  return html`<section tabindex="-1" class="card stack" aria-label="Canary">
    <div class="row"><h2>Canary</h2>
      ${canary
        ? html`<${Badge} kind=${kind}>${text}</${Badge}><bdi>${printable(canary.plan.to)}</bdi>`
        : html`<span class="muted">${obstacle ?? "A new version gets more and more requests, step by step, and is rolled back when it fails."}</span>`}
      <span class="muted small traffic-end">${canary && boundsOf(canary.plan)}</span>
      ${!running && !planning && !obstacle && !readOnly && html`<button type="button" onClick=${() => setPlanning(true)}>Start a canary …</button>`}
    </div>
    ${canary && !running && obstacle && html`<p class="muted">${obstacle}</p>`}
    ${canary &&
    !planning &&
    html`<${Stages} canary=${canary} /><${running ? Running : Ended} id=${id} canary=${canary} readOnly=${readOnly} />
      <${History} canary=${canary} />`}
    ${planning && html`<${PlanForm} id=${id} route=${route} done=${() => setPlanning(false)} />`}
  </section>`;
}
