// The page Mesh: what runs, who gets which share, and whether the mesh obeys.

import { html } from "../../lib.js";
import { parameters } from "../../data/address.js";
import { MeshMap } from "./map.js";
import { Panel } from "./panel.js";
import { MeshTable } from "./table_view.js";
import { Summary, Tools } from "./tools.js";

export function Page() {
  const asTable = parameters.value.view === "table";
  return html`<div class="mesh-page">
    <div class="mesh-head-line"><h1>Mesh</h1><${Summary} /></div>
    <${Tools} />
    <div class=${`mesh-main ${asTable ? "table" : ""}`}>
      ${asTable ? html`<${MeshTable} />` : html`<${MeshMap} />`}
      <${Panel} />
    </div>
  </div>`;
}
