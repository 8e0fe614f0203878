// All resources of a mesh, one of them, or a new one.

import { html } from "../../lib.js";
import { parameters } from "../../data/address.js";
import { mesh } from "../../data/mesh.js";
import { readOnly } from "../../data/session.js";
import { parseResource } from "../../data/resources.js";
import { Detail } from "./detail.js";
import { List } from "./list.js";
import { NewResource } from "./new_resource.js";

export function Page() {
  const { resource, create } = parameters.value;
  const key = parseResource(mesh.value, resource);
  if (create && !readOnly.value) return html`<${NewResource} key=${create} kind=${create} />`;
  if (key) return html`<${Detail} key=${`${mesh.value} ${resource}`} resource=${key} />`;
  return html`<${List} />`;
}
