// After a change: which proxies have confirmed it, and the way back; or why it was refused.

import { html, useEffect, useRef } from "../../lib.js";
import { Badge, Time } from "../../components/basic.js";
import { Dialog } from "../../components/dialog.js";
import { Comparison } from "../../components/diff.js";
import { Icon } from "../../components/icons.js";
import { href } from "../../data/address.js";
import { amount, milliseconds, printable } from "../../data/format.js";
import { targetsOf, weightsOf } from "./logic/weights.js";

const MOST_PROXIES = 12;

/** How far the proxies are: [kind, sentence]. */
function confirmation(change) {
  if (change === null) return ["accent", "sent to the proxies …"];
  const all = Object.values(change.proxies);
  if (all.length === 0) return ["warn", "no connected proxy uses this route"];
  const took = milliseconds(change.milliseconds);
  const done = all.filter((found) => found !== null).length;
  if (!change.converged) return ["accent", `${done} of ${amount(all.length, "proxy", "proxies")} confirmed …`];
  return ["good", all.length === 1 ? `its only proxy confirmed it: ACK after ${took}` : `all ${all.length} proxies confirmed it: last ACK after ${took}`];
}

const Proxy = ({ name, after }) =>
  html`<li title=${name}>${printable(name.split("/").at(-1))}
    ${" "}${after === null ? html`<span class="muted">waiting …</span>` : html`<b>${milliseconds(after)}</b>`}</li>`;

function Proxies({ proxies }) {
  const sorted = Object.entries(proxies).sort(([, one], [, other]) => (one ?? Infinity) - (other ?? Infinity));
  return html`<ul class="traffic-proxies">
    ${sorted.slice(0, MOST_PROXIES).map(([name, after]) => html`<${Proxy} key=${name} name=${name} after=${after} />`)}
    ${sorted.length > MOST_PROXIES && html`<li class="muted">and ${sorted.length - MOST_PROXIES} more</li>`}
  </ul>`;
}

/** `version`: the route's now. `readOnly`: why nothing may be written, or null. */
export function Applied({ editor, version, readOnly }) {
  const { what, change, revision, at, after } = editor.applied.value;
  const [kind, text] = confirmation(change);
  const element = useRef(null);
  useEffect(() => {
    // The button that had the focus is gone; the page may have it already.
    if (document.activeElement.matches("body, main")) element.current.focus();
  }, [revision]);
  return html`<section ref=${element} tabindex="-1" class="card traffic-applied" aria-label="The last change from here">
    <div class="row">
      <${Badge} kind=${kind}>${what}</${Badge}><span role="status">${text}</span><span class="muted small">revision ${revision}, <${Time} at=${at} /></span>
      ${!readOnly && html`<button type="button" class="traffic-undo" disabled=${editor.busy.value} onClick=${() => editor.undo()}>${what === "undone" ? "Apply again" : html`<${Icon} name="undo" />Undo`}</button>`}
    </div>
    ${change && html`<${Proxies} proxies=${change.proxies} />`}
    <p class="muted small">${
      version > after.metadata.version
        ? `The route was changed again since: it is at version ${version}, this was version ${after.metadata.version}.`
        : "The seen shares move towards their targets as requests are counted."
    }</p>
  </section>`;
}

const inWords = (route) => targetsOf(route.spec).map(({ virtualNode, weight }) => `${virtualNode} ${weight}`).join(", ");
const nodes = (route) => targetsOf(route.spec).map(({ virtualNode, port }) => `${virtualNode} ${port}`).join();

const sorted = (_, value) => (value?.constructor === Object ? Object.fromEntries(Object.entries(value).sort()) : value);
/** The specification of a route, whose clients write its fields in different orders. */
export const asText = ({ spec }) => JSON.stringify(spec, sorted, 2);

/** Nothing was written, because somebody else wrote meanwhile: both versions. */
export function Conflict({ editor }) {
  const { what, mine, theirs, message } = editor.conflict.value;
  const { route } = theirs;
  const { version, lastUpdatedAt } = route.metadata;
  const undo = what === "undone";
  const close = () => (editor.conflict.value = null);
  const actions = html`<button type="button" onClick=${close}>Close</button>
    ${!undo && nodes(mine) === nodes(route) && html`<button type="button" onClick=${() => editor.takeTheirs(weightsOf(mine))}>Propose my weights again</button>`}
    <button type="button" class="main" onClick=${() => editor.takeTheirs()}>Take theirs</button>`;
  return html`<${Dialog} title=${`Not ${what}: somebody else wrote the route meanwhile`} close=${close} actions=${actions} wide=${true}>
    <div class="stack">
      <p>Nothing was written. ${undo && "Undo would take back their change as well. "}${" "}
        <a href=${href("changes", { mesh: route.meshName })} onClick=${close}>Changes</a> says who wrote.</p>
      <dl class="facts">
        <dt>${undo ? "Undo would write" : "You wanted"}</dt><dd>${printable(inWords(mine))}</dd>
        <dt>Theirs, version ${version}, <${Time} at=${lastUpdatedAt} /></dt><dd>${printable(inWords(route))}</dd>
      </dl>
      <h3>From theirs to ${undo ? "what undo would write" : "yours"}</h3>
      <${Comparison} before=${asText(route)} after=${asText(mine)} />
      <p class="muted small">${printable(message)}</p>
    </div>
  </${Dialog}>`;
}
