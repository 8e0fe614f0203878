// Lays out graphs beside the page, so that it answers meanwhile: {number, graph} in, {number, places} out.

import { layout } from "./layout.js";

onmessage = ({ data: { number, graph } }) => postMessage({ number, places: layout(graph) });
