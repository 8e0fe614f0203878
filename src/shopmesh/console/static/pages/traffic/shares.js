// The versions of a route, each with a slider for its weight beside what it gets now.

import { html, useId, useState } from "../../lib.js";
import { ShareBar, sentence, verdict } from "../../components/share.js";
import { interval, milliseconds, percent, rate, tenths } from "../../data/format.js";
import { TOTAL, distribute, normalise, targetsOf, weightsOf } from "./logic/weights.js";
import { Sample, Version, colourOf, nameOf } from "./names.js";

/** A field for a number: what is typed stays as it is until the field is left, also when figures arrive meanwhile. */
function NumberField({ value, onInput, ...attributes }) {
  const [typed, setTyped] = useState(null);
  const take = ({ target }) => {
    setTyped(target.value);
    if (target.value !== "") onInput(target.value);
  };
  return html`<input type="number" ...${attributes} value=${typed ?? value} onInput=${take} onBlur=${() => setTyped(null)} />`;
}

function Weight({ editor, index, label, weight, before, ...attributes }) {
  const all = { ...attributes, min: 0, max: TOTAL, step: 1, value: weight };
  const move = (value) => editor.move(index, value);
  return html`<td class=${`traffic-slider ${colourOf(index)}`}>
      <input type="range" ...${all} aria-label=${label} aria-valuetext=${`${weight} per cent`} onInput=${(event) => move(event.target.value)} />
    </td>
    <td class="traffic-number"><${NumberField} ...${all} aria-label=${`${label}, in per cent`} onInput=${move} /> %
      ${before !== weight && html` <span class="muted small">was ${before}</span>`}</td>`;
}

function VersionRow({ editor, index, count, name, weight, live, ...others }) {
  const title = name.version ?? name.node;
  const all = () => editor.propose(distribute(TOTAL, Array.from({ length: count }, (_, at) => Number(at === index))));
  return html`<tr>
    <th scope="row" class="traffic-who"><${Sample} index=${index} /> <${Version} name=${name} /></th>
    <${Weight} editor=${editor} index=${index} label=${`Weight of ${title}`} weight=${weight} ...${others} />
    <td class="traffic-all">
      <button type="button" class="quiet" disabled=${others.disabled || weight === TOTAL} onClick=${all} aria-label=${`All to ${title}`}>all</button>
    </td>
    <td class="traffic-seen" title=${sentence(live)}><${ShareBar} ...${live} /></td>
    <td class=${`end share-figure ${verdict(live)}`}>${tenths(live.seen)}</td>
    <td class="end muted small traffic-interval">${interval(live.low, live.high)}</td>
    <td class="end traffic-rate">${rate(live.requests)}</td>
    <td class=${`end traffic-errors ${live.errors > 0 ? "traffic-failed" : ""}`}>${percent(live.errors)}</td>
    <td class="end traffic-p99">${milliseconds(live.p99)}</td>
  </tr>`;
}

/** What weights mean that are no percentages. */
function Unnormalised({ weights }) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === TOTAL) return null;
  return html`<p class="notice">The weights of this route are ${weights.join(" : ")}, together ${total}.
    ${" "}Here they are shown as percentages, ${normalise(weights).join(" : ")}; a change writes percentages.</p>`;
}

const HEADINGS = ["Version", "Weight", "Target and seen", "Seen", "95 % interval", "Requests", "Errors", "p99"];

/** The figures of a target of the document, in which a port may be missing that the live targets have. */
const liveOf = ({ virtualNode, port }, route, live) =>
  live[route.targets.findIndex((one) => one.virtualNode === virtualNode && (!port || one.port === port))] ?? {};

/** `live`: what each target of `route` gets. `readOnly`: why nothing may be moved, or null. */
export function Shares({ editor, route, live, readOnly }) {
  const reason = useId();
  const { route: document } = editor.loaded.value;
  const targets = targetsOf(document.spec);
  const before = normalise(weightsOf(document));
  const draft = editor.draft.value;
  const weights = draft?.weights ?? before;
  const names = targets.map((target) => nameOf(route.mesh, target, targets));
  const proposed = names.map(({ version, node }, at) => `${version ?? node} gets ${weights[at]} %`).join(", ");
  const disabled = Boolean(readOnly) || targets.length === 1;
  const described = readOnly ? reason : undefined;
  return html`<section class="card stack" aria-label="Weights">
    <${Unnormalised} weights=${weightsOf(document)} />
    ${readOnly && html`<p class="notice" id=${reason}>${readOnly}</p>`}
    <div class="table-scroll traffic-shares" tabindex="0" role="region" aria-label="Versions"><table>
      <caption class="only-read">Versions with their weights and what they get</caption>
      <thead><tr>${HEADINGS.map((heading, at) => html`<th key=${at} scope="col" colspan=${at === 1 ? 3 : 1} class=${at > 2 ? "end" : ""}>${heading}</th>`)}</tr></thead>
      <tbody>${targets.map(
        (target, at) =>
          html`<${VersionRow} key=${at} editor=${editor} index=${at} count=${targets.length} name=${names[at]} weight=${weights[at]} before=${before[at]}
            live=${liveOf(target, route, live)} disabled=${disabled} aria-describedby=${described} />`,
      )}</tbody>
    </table></div>
    ${!disabled &&
    html`<div class="row">
      <button type="button" onClick=${() => editor.propose(distribute(TOTAL, targets.map(() => 1)))}>Even</button>
      <button type="button" disabled=${!draft} onClick=${() => editor.reset()}>Reset</button>
      <span class="muted" role="status">${draft && `New: ${proposed}`}</span>
    </div>`}
  </section>`;
}
