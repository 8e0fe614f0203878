// The configuration that a proxy was sent: by type, searched, and compared with the one before.

import { html, useState } from "../../lib.js";
import { Badge, Command, Copy, Empty, Loading, Problem, Time } from "../../components/basic.js";
import { Choice } from "../../components/choice.js";
import { Code } from "../../components/code.js";
import { Comparison } from "../../components/diff.js";
import { Search } from "../../components/search.js";
import { parameters } from "../../data/address.js";
import { amount, printable } from "../../data/format.js";
import { useAnswer } from "../../data/answer.js";
import { compareResources, search, short, TYPES } from "./model.js";

const STEP = 50;
const OPEN_AT_ONCE = 3;
const VIEWS = { sent: "Sent", former: "The one before", difference: "Difference" };

/** A part that opens; what is inside is made only then. */
function Opening({ title, open, children }) {
  const [shown, setShown] = useState(open);
  return html`<details class="card proxies-opening" open=${shown} onToggle=${(event) => setShown(event.currentTarget.open)}>
    <summary>${title}</summary>${shown && children()}
  </details>`;
}

const Name = ({ name }) => html`<bdi class="name">${printable(name)}</bdi>`;

const STATES = { acknowledged: "", sent: "warn", waiting: "warn", refused: "bad", "not requested": "" };

/** How far a resource is on its way into the proxy; nothing where it has arrived. */
const State = ({ state }) => state && state !== "acknowledged" && html`<${Badge} kind=${STATES[state] ?? ""}>${state}</${Badge}>`;

function Resources({ resources, find }) {
  const [most, setMost] = useState(STEP);
  const found = search(resources, find);
  const open = find !== "" && found.length <= OPEN_AT_ONCE;
  if (resources.length === 0) return html`<div class="card"><${Empty} title="Nothing of this type was sent" /></div>`;
  if (found.length === 0) return html`<div class="card"><${Empty} title=${`Nothing holds “${find}”`} /></div>`;
  return html`<p class="muted small" role="status">${found.length === resources.length ? amount(found.length, "resource") : `${found.length} of ${amount(resources.length, "resource")}`}</p>
    ${found.slice(0, most).map(
      (one) => html`<${Opening} key=${`${one.name} ${open}`} open=${open || found.length === 1}
        title=${html`<${Name} name=${one.name} /> <code class="muted">${short(one.version ?? "")}</code> <${State} state=${one.state} />`}>
        ${() => html`<div class="proxies-json"><${Copy} text=${one.text} label="Copy the JSON" /><${Code} text=${one.text} find=${find} label=${one.name} /></div>`}
      </${Opening}>`,
    )}
    ${found.length > most && html`<button type="button" onClick=${() => setMost(most + STEP)}>Show ${Math.min(STEP, found.length - most)} more</button>`}`;
}

function Secret({ secret }) {
  return html`<dl class="facts card">
    <dt>Name</dt><dd><${Name} name=${secret.name} /> <${State} state=${secret.state} /></dd>
    ${secret.files?.length > 0 && html`<dt>Files of the proxy</dt><dd>${secret.files.map((file) => html`<code key=${file}>${printable(file)}</code> `)}</dd>`}
    <dt>Subject</dt><dd><bdi>${printable(secret.subject ?? "–")}</bdi></dd>
    <dt>Issuer</dt><dd><bdi>${printable(secret.issuer ?? "–")}</bdi></dd>
    <dt>Expires</dt><dd><${Time} at=${secret.expires} /></dd>
    <dt>SHA-256</dt><dd>${secret.sha256 ? html`<code>${secret.sha256}</code> <${Copy} text=${secret.sha256} label="Copy the hash" />` : "–"}</dd>
  </dl>`;
}

function Secrets({ secrets }) {
  if (secrets.length === 0) return html`<div class="card"><${Empty} title="No secret was sent" /></div>`;
  return html`<p class="muted small">Keys and certificates are never shown. Where the proxy reads them from its own files, nothing but the files' names is known here.</p>
    ${secrets.map((one) => html`<${Secret} key=${one.name} secret=${one} />`)}`;
}

const WORDS = { added: "good", removed: "bad", changed: "accent" };

function Differences({ former, sent }) {
  const found = compareResources(former, sent);
  if (found.length === 0) return html`<div class="card"><${Empty} title="This type is the same in both" /></div>`;
  return html`<p class="muted small" role="status">${amount(found.length, "resource differs", "resources differ")}</p>
    ${found.slice(0, STEP).map(
      (one) => html`<${Opening} key=${one.name} open=${found.length <= OPEN_AT_ONCE}
        title=${html`<${Name} name=${one.name} /> <${Badge} kind=${WORDS[one.change]}>${one.change}</${Badge}>`}>
        ${() => html`<${Comparison} before=${one.before} after=${one.after} label=${one.name} />`}
      </${Opening}>`,
    )}`;
}

function Shown({ view, type, sent, former, find }) {
  const wanted = view === "former" ? former : sent;
  const list = (answer) => answer?.types?.[type] ?? [];
  if (view !== "sent" && former.error?.status === 404) {
    return html`<div class="card"><${Empty} title="There is none before it">The control plane remembers one since its start.</${Empty}></div>`;
  }
  const error = wanted.error ?? (view === "difference" ? former.error : null);
  if (error) return html`<${Problem} error=${error} retry=${wanted.again} />`;
  if (wanted.loading || (view === "difference" && former.loading)) return html`<${Loading} what="the configuration" />`;
  if (view === "difference") return html`<${Differences} former=${list(former.answer)} sent=${list(sent.answer)} />`;
  if (type === "secrets") return html`<${Secrets} secrets=${list(wanted.answer)} />`;
  return html`<${Resources} key=${`${type} ${view}`} resources=${list(wanted.answer)} find=${find} />`;
}

export function Configuration({ path, version, proxy, type }) {
  const { find = "", show = "sent" } = parameters.value;
  const view = show in VIEWS ? show : "sent";
  const sent = useAnswer(`${path}/config?type=${type}`, version);
  const former = useAnswer(view === "sent" ? null : `${path}/config?type=${type}&snapshot=former`, version);
  const at = (view === "former" ? former : sent).answer?.at;
  return html`<section class="stack" aria-labelledby="configuration-title">
    <div class="row"><h2 id="configuration-title">Configuration</h2>${at && html`<span class="muted small">sent <${Time} at=${at} /></span>`}
      <span class="proxies-command"><${Command} text=${`shopmesh proxy-config ${proxy.instance} ${type} -o yaml`} /></span></div>
    <div class="row proxies-tools">
      <${Choice} label="Type" options=${Object.fromEntries(TYPES.map((one) => [one, one]))} name="type" />
      <${Choice} label="Which configuration" options=${VIEWS} name="show" />
      ${type !== "secrets" && view !== "difference" &&
      html`<${Search} label="Search in the configuration" placeholder="Search in the configuration" name="find" />`}
    </div>
    <${Shown} view=${view} type=${type} sent=${sent} former=${former} find=${find} />
  </section>`;
}
