// A new resource: a text area that begins with the smallest manifest of its kind.

import { html } from "../../lib.js";
import { Empty } from "../../components/basic.js";
import { Choice } from "../../components/choice.js";
import { go, href } from "../../data/address.js";
import { mesh } from "../../data/mesh.js";
import { KINDS } from "../../data/resources.js";
import { Editor } from "./editor.js";
import { TEMPLATES } from "./templates.js";

const back = () => html`<a href=${href("resources", { mesh: mesh.value })}>Resources</a>`;

/** Routes have no manifest of their own. */
const OfRouter = () => html`<div class="card"><${Empty} title="A route is written in the manifest of its router">
  Open the <a href=${href("resources", { mesh: mesh.value, kind: "virtualRouter" })}>virtual router</a> and add it below <code>routes</code>.
</${Empty}></div>`;

export function NewResource({ kind }) {
  const text = TEMPLATES[kind];
  return html`<div class="page-head"><h1>${back()} / new ${KINDS[kind] ?? "resource"}</h1></div>
    <div class="stack">
      <${Choice} label="Kind" options=${KINDS} name="create" first=${null} />
      ${text === undefined
        ? html`<${OfRouter} />`
        : html`<p class="muted">Any manifests will do, several with <code>---</code> between them; so will JSON of the <code>aws</code> CLI and CloudFormation templates.</p>
            <${Editor} template=${text} name=${`new ${kind}`} close=${() => go("resources", { kind })} />`}
    </div>`;
}
