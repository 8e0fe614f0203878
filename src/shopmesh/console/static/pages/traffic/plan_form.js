// The plan of a new canary: which version, in which steps, within which bounds.

import { html, useId, useState } from "../../lib.js";
import { Command, Refusal } from "../../components/basic.js";
import { send } from "../../data/api.js";
import { partsOf } from "../../data/collections.js";
import { printable } from "../../data/format.js";
import { CONTROL_PLANE, FIELDS, candidatesOf, commandOf, planOf } from "./logic/canary.js";

function Field({ title, typed, set, first, option, unit, before, more, ...attributes }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${title}</label>
    <input id=${id} ...${attributes} value=${typed[attributes.name] ?? ""} onInput=${({ target }) => set(target.name, target.value)} />
  </div>`;
}

/** Start a canary that the control plane judges. `done` is called when it has begun, or nobody wants it. */
export function PlanForm({ id, route, done }) {
  const [mesh, virtualRouter, name] = partsOf(id);
  const candidates = candidatesOf(route).map(({ virtualNode }) => virtualNode);
  const [typed, setTyped] = useState({ to: candidates[0], manual: false, ...Object.fromEntries(FIELDS.map((field) => [field.name, field.first])) });
  const [problem, setProblem] = useState(null);
  const choice = useId();
  const set = (field, value) => setTyped({ ...typed, [field]: value });
  const plan = planOf(typed);
  const start = (event) => {
    event.preventDefault();
    const body = { mesh, virtualRouter, route: name, service: route.virtualService, plan, owner: CONTROL_PLANE };
    send("POST", "/shopmesh/v1/canaries", body).then(done, setProblem);
  };
  const input = (field) => html`<${Field} key=${field.name} ...${field} typed=${typed} set=${set} />`;
  const fields = (more) => FIELDS.filter((field) => Boolean(field.more) === more).map(input);
  return html`<form class="stack" onSubmit=${start} aria-label="Plan of the canary">
    <div class="traffic-fields">
      <div class="field"><label for=${choice}>New version</label>
        <select id=${choice} value=${typed.to} onChange=${({ target }) => set("to", target.value)}>
          ${candidates.map((node) => html`<option key=${node} value=${node}>${printable(node)}</option>`)}
        </select></div>
      ${fields(false)}
    </div>
    <details><summary>Chosen users, mirror, patience, by hand</summary>
      <div class="traffic-fields">${fields(true)}
        <label><input type="checkbox" checked=${typed.manual} onChange=${({ target }) => set("manual", target.checked)} />Each step waits for “Promote”</label>
      </div>
    </details>
    <${Refusal} error=${problem} />
    <p class="small"><${Command} text=${commandOf(virtualRouter, name, plan)} /></p>
    <div class="row">
      <button type="submit" class="main">Start</button><button type="button" onClick=${done}>Cancel</button>
      <span class="muted small">The control plane judges it: this page can be closed.</span>
    </div>
  </form>`;
}
