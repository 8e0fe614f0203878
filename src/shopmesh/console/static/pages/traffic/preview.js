// A change before it is made, in the forms in which it could be made: difference of the manifest, API call, commands.

import { html, useId, useState } from "../../lib.js";
import { Copy } from "../../components/basic.js";
import { Lines } from "../../components/diff.js";
import { operation } from "../../data/api.js";
import { compareLines, withContext } from "../../data/line_diff.js";
import { awsCommand, shopmeshCommand, updateInput, weightsOf, withWeightsInManifest } from "./logic/weights.js";

/** The lines of the manifest that change, with those around them; null where the manifest does not say the weights. */
function manifestLines({ route, manifest }, weights) {
  const after = withWeightsInManifest(manifest, route.routeName, weightsOf(route), weights);
  return after && withContext(compareLines(manifest, after));
}

/** [{title, text, lines, note}] of a change; a form that cannot make it is left out. */
function formsOf(editor) {
  const input = updateInput(editor.loaded.value.route, editor.spec);
  const { method, path, body } = operation("UpdateRoute", input);
  const lines = manifestLines(editor.loaded.value, editor.draft.value.weights);
  return [
    { title: "Manifest", lines, text: lines?.map(({ mark, text }) => (mark === "@" ? "@@" : mark + text)).join("\n") },
    { title: "API call", text: `${method} ${path}\n\n${JSON.stringify(body, null, 2)}`, note: "UpdateRoute. From here it is sent with the version that you see, and refused if somebody else has written by then." },
    { title: "aws", text: awsCommand(input), note: 'In a terminal of the project, after eval "$(shopmesh env)"' },
    { title: "shopmesh", text: shopmeshCommand(input) },
  ].filter(({ text }) => text);
}

function Tabs({ titles, chosen, choose, panel }) {
  const keys = (event) => {
    const to = { Home: 0, End: titles.length - 1, ArrowLeft: chosen - 1, ArrowRight: chosen + 1 }[event.key];
    if (titles[to] === undefined) return;
    event.preventDefault();
    choose(to);
    event.currentTarget.children[to].focus();
  };
  return html`<div class="traffic-tabs" role="tablist" aria-label="Forms of the change" onKeyDown=${keys}>
    ${titles.map((title, at) => html`<button key=${title} type="button" role="tab" aria-controls=${panel} aria-selected=${at === chosen} tabindex=${at === chosen ? 0 : -1} onClick=${() => choose(at)}>${title}</button>`)}
  </div>`;
}

export function Preview({ editor }) {
  const [wanted, choose] = useState(0);
  const panel = useId();
  const forms = formsOf(editor);
  const chosen = Math.min(wanted, forms.length - 1);
  const { title, text, lines, note } = forms[chosen];
  return html`<div class="row traffic-forms"><${Tabs} titles=${forms.map((form) => form.title)} chosen=${chosen} choose=${choose} panel=${panel} /><${Copy} text=${text} visible=${true} /></div>
    <div id=${panel} role="tabpanel" aria-label=${title}>
      ${lines ? html`<${Lines} lines=${lines} label="What changes in the manifest" />` : html`<pre class="code traffic-text" tabindex="0" role="region" aria-label=${title}>${text}</pre>`}
      ${note && html`<p class="muted small">${note}</p>`}
    </div>`;
}
