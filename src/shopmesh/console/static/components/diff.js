// Lines that were taken out and put in, by colour and by sign.

import { html } from "../lib.js";
import { printable } from "../data/format.js";
import { compareLines, readUnified, withContext } from "../data/line_diff.js";

const KINDS = { "+": "diff-added", "-": "diff-removed", "@": "diff-place", " ": "" };
const WORDS = { "+": "added: ", "-": "removed: " };

/** Lines as `data/line_diff.js` gives them. */
export const Lines = ({ lines, label }) =>
  html`<pre class="code diff" tabindex="0" role="region" aria-label=${label}>${lines.map(
    ({ mark, text }, index) =>
      html`<span key=${index} class=${`diff-line ${KINDS[mark]}`}><span class="diff-mark" aria-hidden="true">${mark === "@" ? " " : mark}</span>${WORDS[mark] && html`<span class="only-read">${WORDS[mark]}</span>`}<bdi>${printable(text)}</bdi>${"\n"}</span>`,
  )}</pre>`;

/** A unified diff as the control plane writes it. */
export const Diff = ({ text, label = "What changes" }) => html`<${Lines} lines=${readUnified(text)} label=${label} />`;

/** The lines in which `after` differs from `before`. */
export const Comparison = ({ before, after, label = "Differences" }) => {
  const lines = compareLines(before, after);
  if (lines.every(({ mark }) => mark === " ")) return html`<p class="muted">Both are the same.</p>`;
  return html`<${Lines} lines=${withContext(lines)} label=${label} />`;
};
