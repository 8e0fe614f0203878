// One of several, as a row of buttons of which one is pressed.

import { html } from "../lib.js";

/** `options`: titles by id; `count`: id => a number beside its title; `choose` is called with the id. */
export const Choice = ({ label, options, chosen, choose, count }) =>
  html`<div class="row choice" role="group" aria-label=${label}>${Object.entries(options).map(
    ([id, title]) => html`<button key=${id} type="button" aria-pressed=${chosen === id} onClick=${() => choose(id)}>${title}${count && html` <span class="muted">${count(id)}</span>`}</button>`,
  )}</div>`;
