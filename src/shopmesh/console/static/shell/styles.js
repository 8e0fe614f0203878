// Style sheets of pages, each loaded once.

const loading = new Map();

/** Done when the style sheet at `path` below static/ applies. One that does not come is no reason to show nothing. */
export function loadStyles(path) {
  if (!loading.has(path)) {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `static/${path}` });
    loading.set(path, new Promise((done) => (link.onload = link.onerror = done)));
    document.head.append(link);
  }
  return loading.get(path);
}
