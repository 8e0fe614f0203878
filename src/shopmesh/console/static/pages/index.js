// All pages, in the order of the navigation. Each is loaded when it is shown, so that the first picture comes early:
// its module, and its own style sheet `pages/ID/ID.css` if `styles` says that it has one.

export const PAGES = [
  { id: "mesh", title: "Mesh", styles: true, load: () => import("./mesh/page.js") },
  { id: "traffic", title: "Traffic", styles: true, load: () => import("./traffic/page.js") },
  { id: "resources", title: "Resources", styles: true, load: () => import("./resources/page.js") },
  { id: "proxies", title: "Proxies", styles: true, load: () => import("./proxies/page.js") },
  { id: "findings", title: "Findings", styles: true, load: () => import("./findings/page.js") },
  { id: "changes", title: "Changes", styles: true, load: () => import("./changes/page.js") },
];
