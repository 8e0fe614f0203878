// One resource: manifest, the API's JSON, its relations, findings and last changes; from here it is edited and deleted.

import { html, useRef, useState } from "../../lib.js";
import { Badge, Copy, Empty, Loading, Problem, Time } from "../../components/basic.js";
import { Choice } from "../../components/choice.js";
import { Code } from "../../components/code.js";
import { ResourceLink } from "../../components/resource_link.js";
import { change, href, parameters } from "../../data/address.js";
import { useAnswer } from "../../data/answer.js";
import { printable } from "../../data/format.js";
import { state } from "../../data/live.js";
import { mesh } from "../../data/mesh.js";
import { KINDS, nameOf, resourcePath } from "../../data/resources.js";
import { readOnly } from "../../data/session.js";
import { Deletion } from "./deletion.js";
import { hasDraft } from "./drafts.js";
import { Editor } from "./editor.js";
import { Aside } from "./relations.js";

const VIEWS = { manifest: "Manifest", json: "JSON of the API" };

/** A route is written in the manifest of its router. */
const Owner = ({ found }) =>
  found.kind === "route" &&
  html`<p class="notice">A route is written in the manifest of its <${ResourceLink} kind="virtualRouter" path=${found.path.slice(0, 2)} />, which follows.</p>`;

function Text({ found, view }) {
  const json = JSON.stringify(found.api, null, 2);
  const text = view === "json" ? json : found.manifest;
  const { find = "" } = parameters.value;
  return html`<div class="stack">
    ${view === "manifest" && html`<${Owner} found=${found} />`}
    <div class="resources-text"><${Copy} text=${text} label=${`Copy the ${VIEWS[view]}`} /><${Code} text=${text} find=${find} label=${VIEWS[view]} /></div>
    ${view === "manifest" && found.notes.map((note) => html`<p key=${note} class="notice warn"><bdi>${printable(note)}</bdi></p>`)}
  </div>`;
}

const Gone = ({ resource, error, again }) =>
  error.status === 404
    ? html`<div class="card"><${Empty} title=${`This ${KINDS[resource.kind]} does not exist`}>It may have been deleted: <a href=${href("changes", { mesh: mesh.value })}>Changes</a> says by whom.</${Empty}></div>`
    : html`<${Problem} error=${error} retry=${again} />`;

function Actions({ edit, remove }) {
  if (readOnly.value) return null;
  return html`<span class="row"><button type="button" class="danger" onClick=${remove}>Delete</button><button type="button" class="main" onClick=${edit}>Edit</button></span>`;
}

export function Detail({ resource }) {
  const [deleting, setDeleting] = useState(false);
  const [sent, setSent] = useState(false);
  const revision = useRef(null);
  // The stream may know of a deletion before it is answered here: what is being deleted is not asked for again.
  if (!sent) revision.current = state.revision.value;
  const { answer: found, error, loading, again } = useAnswer(resourcePath(resource), revision.current);
  const view = parameters.value.view in VIEWS ? parameters.value.view : "manifest";
  const editing = parameters.value.edit === "yes" && !readOnly.value;
  const head = html`<div class="page-head">
    <h1><a href=${href("resources", { mesh: mesh.value, kind: resource.kind })}>Resources</a> / <span class="muted">${KINDS[resource.kind]}</span> <bdi class="name">${printable(nameOf(resource.path))}</bdi></h1>
    ${found && html`<${Badge}>version ${found.version}</${Badge}><span class="muted small">changed <${Time} at=${found.api.metadata.lastUpdatedAt} ago=${true} /></span>`}
    ${found && !editing && html`<${Actions} edit=${() => change({ edit: "yes" })} remove=${() => setDeleting(true)} />`}
  </div>`;
  if (loading) return html`${head}<${Loading} what="the resource" />`;
  // While somebody edits, a deletion by somebody else must not take the text away.
  if (!found && !(editing && hasDraft(resourcePath(resource)))) return html`${head}<${Gone} resource=${resource} error=${error} again=${again} />`;
  return html`${head}
    <div class="resources-split">
      <div class="stack">
        ${editing
          ? html`<${Editor} name=${resourcePath(resource)} found=${found} close=${() => change({ edit: null })} />`
          : html`<${Choice} label="Form" options=${VIEWS} name="view" /><${Text} found=${found} view=${view} />`}
      </div>
      ${found && html`<${Aside} found=${found} />`}
    </div>
    ${deleting && html`<${Deletion} found=${found} sent=${sent} setSent=${setSent} close=${() => setDeleting(false)} />`}`;
}
