// A change before it is made, in the forms in which it could be made: difference of the manifest, API call, commands.

import { html } from "../../lib.js";
import { Copy } from "../../components/basic.js";
import { Lines } from "../../components/diff.js";
import { compareLines, withContext } from "../../data/line_diff.js";
import { awsCommand, shopmeshCommand, updateCall, updateInput, weightsOf, withWeightsInManifest } from "./logic/weights.js";

/** The lines of the manifest that change, with those around them; null where the manifest does not say the weights. */
function manifestLines({ route, manifest }, weights) {
  const after = withWeightsInManifest(manifest, route.routeName, weightsOf(route), weights);
  return after && withContext(compareLines(manifest.trimEnd(), after.trimEnd()));
}

/** [{title, text, lines, note}] of a change; a form that cannot make it is left out. */
function formsOf(editor) {
  const input = updateInput(editor.loaded.value.route, editor.spec);
  const lines = manifestLines(editor.loaded.value, editor.draft.value.weights);
  return [
    { title: "Manifest", lines, text: lines?.map(({ mark, text }) => (mark === "@" ? "@@" : mark + text)).join("\n") },
    { title: "API call", text: updateCall(input), note: "From here it is refused if somebody else has written by then." },
    { title: "aws", text: awsCommand(input), note: 'In a terminal of the project, after eval "$(shopmesh env)"' },
    { title: "shopmesh", text: shopmeshCommand(input) },
  ].filter(({ text }) => text);
}

/** All forms, of which one is open at a time. */
export const Preview = ({ editor }) =>
  html`<div>${formsOf(editor).map(
    ({ title, text, lines, note }, at) => html`<details key=${title} name="form" class="traffic-form" open=${at === 0}>
      <summary>${title}</summary>
      ${lines ? html`<${Lines} lines=${lines} label=${title} />` : html`<pre class="code" tabindex="0" role="region" aria-label=${title}>${text}</pre>`}
      <div class="row"><${Copy} text=${text} visible=${true} />${note && html`<span class="muted small">${note}</span>`}</div>
    </details>`,
  )}</div>`;
