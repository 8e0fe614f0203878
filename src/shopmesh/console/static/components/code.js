// A text of many lines with their numbers; what is searched for is marked.

import { html } from "../lib.js";
import { printable } from "../data/format.js";

/** Beyond this many lines the rest is left to copying: a browser lays out each of them. */
const MOST_LINES = 5000;

function Marked({ line, find }) {
  const at = find ? line.toLowerCase().indexOf(find.toLowerCase()) : -1;
  if (at < 0) return line;
  return html`${line.slice(0, at)}<mark>${line.slice(at, at + find.length)}</mark><${Marked} line=${line.slice(at + find.length)} find=${find} />`;
}

/** `label` names it for screen readers; `marked` are numbers of lines that stand out. */
export function Code({ text, label, find = "", marked }) {
  const lines = text.replace(/\n$/, "").split("\n");
  return html`<pre class="code numbered" tabindex="0" role="region" aria-label=${label}>${lines
    .slice(0, MOST_LINES)
    .map(
      (line, index) =>
        html`<span key=${index} class=${marked?.has(index + 1) ? "code-line marked" : "code-line"}><span class="code-number" aria-hidden="true">${index + 1}</span><bdi><${Marked} line=${printable(line)} find=${find} /></bdi>${"\n"}</span>`,
    )}${lines.length > MOST_LINES && html`<span class="muted">… ${lines.length - MOST_LINES} more lines: copy the text to see them</span>`}</pre>`;
}
