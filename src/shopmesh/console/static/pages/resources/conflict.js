// Somebody else has written since the text was read: both are shown, and one is chosen.

import { html } from "../../lib.js";
import { Comparison } from "../../components/diff.js";
import { href } from "../../data/address.js";
import { mesh } from "../../data/mesh.js";

/** `current` is the resource as it is now; null: it was deleted. */
export function Conflict({ current, text, takeTheirs, keepMine }) {
  if (current === null) {
    return html`<section class="notice warn stack" role="alert">
      <h2>Somebody else has deleted it since you began</h2>
      <div class="row"><button type="button" onClick=${keepMine}>Create it again from this text</button></div>
    </section>`;
  }
  return html`<section class="notice warn stack" role="alert">
    <h2>Somebody else has changed it since you began</h2>
    <p><a href=${href("changes", { mesh: mesh.value })}>Changes</a> says who. Below, lines with − are theirs, as it is now; lines with + are yours.</p>
    <${Comparison} before=${current.manifest} after=${text} label="Theirs and yours" />
    <div class="row">
      <button type="button" onClick=${takeTheirs}>Begin again with theirs</button>
      <button type="button" onClick=${keepMine}>Keep mine, and change theirs to it</button>
    </div>
  </section>`;
}
