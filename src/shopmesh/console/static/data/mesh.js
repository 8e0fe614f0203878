// Which mesh is looked at: the one that the address names, or the first.

import { computed } from "../lib.js";
import { parameters } from "./address.js";
import { state } from "./live.js";

const NOTHING = new Map();

/** The whole of a collection: Map of documents by ID, empty until the first answer. */
export const whole = (collection) => state.collections[collection]?.value ?? NOTHING;

export const meshNames = computed(() => [...whole("meshes").values()].map(({ mesh: name }) => name).sort());

export const mesh = computed(() => {
  const asked = parameters.value.mesh;
  return meshNames.value.includes(asked) ? asked : (meshNames.value[0] ?? null);
});

const inMeshes = new Map();

/** What of a collection is in the chosen mesh, by ID: a signal. For collections whose IDs begin with the mesh. */
export function inMesh(collection) {
  if (!inMeshes.has(collection)) {
    const found = computed(() => {
      const prefix = `${encodeURIComponent(mesh.value ?? "")}/`;
      return new Map([...whole(collection)].filter(([id]) => id.startsWith(prefix)));
    });
    inMeshes.set(collection, found);
  }
  return inMeshes.get(collection);
}
