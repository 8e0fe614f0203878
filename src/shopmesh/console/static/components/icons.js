// Small drawings in the colour of the text around them. They say nothing alone: a label stands beside each.

import { html } from "../lib.js";

const PATHS = {
  mesh: "M5 12h4m0 0 6-6m-6 6 6 6M3 12a2 2 0 1 0 4 0 2 2 0 1 0-4 0M15 5a2 2 0 1 0 4 0 2 2 0 1 0-4 0m0 14a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
  traffic: "M4 7h16M4 17h16M9 4v6m6 4v6",
  resources: "M5 4h14v5H5zm0 11h14v5H5zm7-6v6",
  proxies: "M7 4h10v16H7zm3 4h4m-4 4h4m-2 4h0M3 9h4m10 0h4M3 15h4m10 0h4",
  findings: "M12 4 3 20h18zm0 6v4m0 3v0",
  changes: "M12 7v5l3 2M4 12a8 8 0 1 0 3-6.2M4 4v4h4",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  check: "m5 13 4 4L19 7",
  close: "m6 6 12 12M18 6 6 18",
  up: "m6 15 6-6 6 6",
  down: "m6 9 6 6 6-6",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v3m0 14v3M2 12h3m14 0h3M5 5l2 2m10 10 2 2M19 5l-2 2M7 17l-2 2",
  dark: "M20 14A8 8 0 1 1 10 4a6.500 6.500 0 0 0 10 10",
  automatic: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  out: "M14 4h5v16h-5M4 12h11m-4-4 4 4-4 4",
  undo: "M8 5 4 9l4 4M4 9h10a5 5 0 0 1 0 10H9",
};

export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
