// What Envoy said when it refused something: the reason first, all of it on demand.

import { html } from "../../lib.js";
import { Copy } from "../../components/basic.js";
import { printable } from "../../data/format.js";
import { reasonOf } from "./model.js";

export function Said({ text }) {
  const reason = reasonOf(text);
  return html`<div class="proxies-said">
    <p><bdi>${printable(reason)}</bdi></p>
    ${reason !== text &&
    html`<details><summary>All that Envoy said</summary>
      <${Copy} text=${text} label="Copy all that Envoy said" visible=${true} />
      <pre><bdi>${printable(text)}</bdi></pre></details>`}
  </div>`;
}
