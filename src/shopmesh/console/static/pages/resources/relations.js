// What stands beside a resource: what it refers to and what refers to it, its findings, its last changes.

import { html } from "../../lib.js";
import { Badge, Time } from "../../components/basic.js";
import { ResourceLink } from "../../components/resource_link.js";
import { href } from "../../data/address.js";
import { amount, printable } from "../../data/format.js";
import { mesh, whole } from "../../data/mesh.js";

const MOST_SHOWN = 100;
const MOST_CHANGES = 5;

/** References to one resource as one, with all fields that name it. */
function grouped(references) {
  const found = new Map();
  for (const one of references) {
    const id = `${one.kind} ${one.path.join("/")}`;
    const group = found.get(id) ?? { ...one, fields: [] };
    if (one.field) group.fields.push(one.field);
    found.set(id, group);
  }
  return [...found.values()];
}

/** A field with places at which a line may break. */
const breakable = (field) => printable(field).split(".").map((word, index) => (index === 0 ? word : html`.<wbr />${word}`));

function References({ title, references, none }) {
  const found = grouped(references);
  return html`<section><h2>${title}</h2>
    ${found.length === 0 && html`<p class="muted">${none}</p>`}
    <ul class="resources-references">${found.slice(0, MOST_SHOWN).map(
      (one) => html`<li key=${`${one.kind} ${one.path.join("/")}`}>
        <${ResourceLink} kind=${one.kind} path=${one.path} />${!one.exists && html` <${Badge} kind="warn" title="A node may call a service that is created later">does not exist</${Badge}>`}
        ${one.fields.map((field) => html`<code key=${field} class="small muted">${breakable(field)}</code>`)}
      </li>`,
    )}</ul>
    ${found.length > MOST_SHOWN && html`<p class="muted">and ${found.length - MOST_SHOWN} more</p>`}
  </section>`;
}

function Findings({ found }) {
  const path = found.path.join("/");
  const ours = [...whole("findings").values()].filter((one) => one.kind === found.kind && one.path.join("/") === path);
  return html`<section><h2>Findings</h2>
    ${ours.length === 0 && html`<p class="muted">None.</p>`}
    <ul class="stack">${ours.map(
      (one) => html`<li key=${`${one.code} ${one.what}`} class=${`notice ${one.severity === "error" ? "bad" : "warn"}`}>
        <a href=${href("findings", { mesh: mesh.value, filter: `${one.code} ${found.path.at(-1)}` })}><code>${one.code}</code></a> <bdi>${printable(one.what)}</bdi>
      </li>`,
    )}</ul>
  </section>`;
}

function Changes({ found }) {
  const text = `${found.kind} ${found.path.join("/")}`;
  const ours = [...whole("changes").values()].filter(({ resources }) => resources.includes(text)).sort((one, other) => other.revision - one.revision);
  return html`<section><h2>Last changes</h2>
    ${ours.length === 0 && html`<p class="muted">None is among the last 50 of the control plane.</p>`}
    <ul class="resources-references">${ours.slice(0, MOST_CHANGES).map(
      (one) => html`<li key=${one.revision}><a href=${href("changes", { mesh: mesh.value, revision: one.revision })}>revision ${one.revision}</a>${" "}
        <span class="muted"><${Time} at=${one.at} /> by <bdi class="name">${printable(one.author ?? "unknown")}</bdi></span></li>`,
    )}</ul>
  </section>`;
}

function Tags({ tags }) {
  const found = Object.entries(tags);
  if (found.length === 0) return null;
  return html`<details><summary>${amount(found.length, "tag")}</summary>
    <dl class="resources-tags">${found.map(([key, value]) => html`<dt key=${key}><code>${printable(key)}</code></dt><dd><bdi>${printable(value)}</bdi></dd>`)}</dl>
  </details>`;
}

export const Aside = ({ found }) =>
  html`<aside class="card stack resources-aside" aria-label="Relations">
    <${Findings} found=${found} />
    <${References} title="Refers to" references=${found.refersTo} none="Nothing." />
    <${References} title="Is referred to by" references=${found.referredBy} none="Nothing." />
    <${Changes} found=${found} />
    <${Tags} tags=${found.tags} />
  </aside>`;
