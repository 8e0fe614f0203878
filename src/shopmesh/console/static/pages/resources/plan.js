// What a text would do: the resources, the difference, and what is left alone. Shown before anything is written.

import { html } from "../../lib.js";
import { Badge } from "../../components/basic.js";
import { Diff } from "../../components/diff.js";
import { ResourceLink } from "../../components/resource_link.js";
import { printable } from "../../data/format.js";

const KIND_OF = { created: "good", updated: "accent", deleted: "bad" };
const VERBS = { created: "is created", updated: "is updated", deleted: "is deleted", unchanged: "stays as it is" };

export function Plan({ plan }) {
  const steps = plan.steps.filter(({ verb }) => verb !== "unchanged");
  return html`<section class="stack" aria-labelledby="plan-title">
    <h2 id="plan-title">${steps.length === 0 ? "Nothing would change" : "What would change"}</h2>
    ${steps.length > 0 &&
    html`<ul class="resources-steps">${steps.map(
      ({ verb, kind, path }) => html`<li key=${`${kind} ${path.join("/")}`}><${ResourceLink} kind=${kind} path=${path} /> <${Badge} kind=${KIND_OF[verb]}>${VERBS[verb] ?? verb}</${Badge}></li>`,
    )}</ul>
    <${Diff} text=${plan.diff} />`}
    ${plan.notes.map((note) => html`<p key=${note} class="notice warn"><bdi>${printable(note)}</bdi></p>`)}
  </section>`;
}
