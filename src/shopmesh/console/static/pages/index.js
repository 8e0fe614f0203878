// All pages, in the order of the navigation. Each is loaded when it is shown, so that the first picture comes early.

export const PAGES = [
  { id: "mesh", title: "Mesh", load: () => import("./mesh/page.js") },
  { id: "traffic", title: "Traffic", load: () => import("./traffic/page.js") },
  { id: "resources", title: "Resources", load: () => import("./resources/page.js") },
  { id: "proxies", title: "Proxies", load: () => import("./proxies/page.js") },
  { id: "findings", title: "Findings", load: () => import("./findings/page.js") },
  { id: "changes", title: "Changes", load: () => import("./changes/page.js") },
];
