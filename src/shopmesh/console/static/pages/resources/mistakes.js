// What is wrong with a text: each mistake at its line and field; choosing one shows the line.

import { html } from "../../lib.js";
import { amount, printable } from "../../data/format.js";

function Mistake({ mistake, jump }) {
  const { line, field, message } = mistake;
  const said = html`<bdi>${printable(message)}</bdi>${field && html` <code class="muted small">${printable(field)}</code>`}`;
  if (line === 0) return html`<li>${said}</li>`;
  return html`<li><button type="button" class="quiet resources-line" onClick=${() => jump(line)}>line ${line}</button> ${said}</li>`;
}

export const Mistakes = ({ id, mistakes, jump }) =>
  html`<div id=${id} role="alert">${mistakes.length > 0 &&
  html`<div class="notice bad"><h2>${amount(mistakes.length, "mistake")}</h2>
    <ul class="resources-mistakes">${mistakes.map((one, index) => html`<${Mistake} key=${index} mistake=${one} jump=${jump} />`)}</ul>
  </div>`}</div>`;
