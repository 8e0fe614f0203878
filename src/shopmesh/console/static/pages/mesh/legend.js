// What the shapes and lines of the map mean.

import { html } from "../../lib.js";
import { ShareBar } from "../../components/share.js";
import { ProxyMark } from "./box.js";

const LINES = [
  ["ok", "requests; the wider, the more"],
  ["failing", "1 % or more fail"],
  ["slow", "p99 of 1 s or more"],
  ["quiet", "no traffic now"],
];
const PROXIES = [
  ["ok", "proxies in sync"],
  ["behind", "not in sync, or not connected"],
  ["refused", "configuration refused (NACK)"],
  ["none", "no proxy"],
];
const SHARES = [
  [{ target: 0.5, seen: 0.52, low: 0.45, high: 0.59, total: 200 }, "line: target; dot and band: seen share, 95 % interval"],
  [{ target: 0.5, seen: 0.75, low: 0.7, high: 0.8, total: 300 }, "triangle: the share differs from its target"],
];

export const Legend = () =>
  html`<details class="mesh-legend">
    <summary>Legend</summary>
    <ul>
      ${LINES.map(
        ([mark, text]) => html`<li key=${mark}><svg class="mesh-sample" viewBox="0 0 40 12" aria-hidden="true"><path class=${`mesh-flow ${mark}`} d="M1 6h38" stroke-width=${mark === "quiet" ? 1 : 3} /></svg>${text}</li>`,
      )}
      ${PROXIES.map(([word, text]) => html`<li key=${word}><${ProxyMark} word=${word} title=${text} />${text}</li>`)}
      ${SHARES.map(([share, text]) => html`<li key=${text}><${ShareBar} ...${share} />${text}</li>`)}
    </ul>
  </details>`;
