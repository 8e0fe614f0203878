// One of several, as a row of buttons of which one is pressed. The address says which.

import { html } from "../lib.js";
import { change, parameters } from "../data/address.js";

/** `options`: titles by ID; `name`: the parameter; `first`: the ID that it need not name; `count`: ID => a number beside its title. */
export function Choice({ label, options, name, first = Object.keys(options)[0], count }) {
  const asked = parameters.value[name];
  const chosen = asked in options ? asked : first;
  return html`<div class="row choice" role="group" aria-label=${label}>${Object.entries(options).map(
    ([id, title]) =>
      html`<button key=${id} type="button" aria-pressed=${chosen === id} onClick=${() => change({ [name]: id === first ? null : id })}>${title}${count && html` <span class="muted">${count(id)}</span>`}</button>`,
  )}</div>`;
}
