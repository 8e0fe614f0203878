// The frame around every page: header, the page itself (loaded when first shown), messages.

import { Component, html, useEffect, useRef, useState } from "../lib.js";
import { Command, Empty, Loading, Problem } from "../components/basic.js";
import { Toasts } from "../components/toast.js";
import { page, parameters } from "../data/address.js";
import { signedOut } from "../data/api.js";
import { connection, state } from "../data/live.js";
import { meshNames } from "../data/mesh.js";
import { session } from "../data/session.js";
import { PAGES } from "../pages/index.js";
import { keepFocus } from "./focus.js";
import { Header } from "./header.js";
import { SignIn } from "./sign_in.js";
import { loadStyles } from "./styles.js";

/** A fault of one page leaves the header, from which another page can be reached. */
class Guard extends Component {
  componentDidCatch(error) {
    console.error(error);
    this.setState({ error });
  }
  render({ children }, { error }) {
    if (!error) return children;
    return html`<${Problem} error=${{ message: `This page failed: ${error.message}` }} retry=${() => this.setState({ error: null })} />`;
  }
}

/** The component of a page, once it is loaded: [component or null, error or null, load again]. */
function useLoaded(entry) {
  const [loaded, setLoaded] = useState({});
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let wanted = true;
    const styles = entry.styles ? loadStyles(`pages/${entry.id}/${entry.id}.css`) : null;
    Promise.all([entry.load(), styles]).then(
      ([{ Page }]) => wanted && setLoaded({ id: entry.id, Page }),
      () => wanted && setLoaded({ id: entry.id, error: { message: `The page ${entry.title} could not be loaded.` } }),
    );
    return () => (wanted = false);
  }, [entry, attempt]);
  const ours = loaded.id === entry.id ? loaded : {};
  return [ours.Page ?? null, ours.error ?? null, () => setAttempt(attempt + 1)];
}

function Content({ entry }) {
  const [Page, error, again] = useLoaded(entry);
  if (error) return html`<${Problem} error=${error} retry=${again} />`;
  if (state.at.value === null && connection.value !== "live") return html`<${Loading} />`;
  if (!Page) return html`<${Loading} what=${entry.title.toLowerCase()} />`;
  if (meshNames.value.length === 0) {
    return html`<div class="page-head"><h1>${entry.title}</h1></div>
      <div class="card"><${Empty} title="There is no mesh yet">
        <p>Documents make one. What you apply appears here at once:</p>
        <p><${Command} text="shopmesh apply mesh/" /></p>
      </${Empty}></div>`;
  }
  return html`<${Page} />`;
}

/** Parameters that say what a page is about: with another value it is another page. */
const SUBJECTS = ["resource", "create", "proxy", "service", "route"];

/** When another page is shown: its title, its beginning, and the focus there, as with a page that is loaded anew. */
function usePageChange(entry, main) {
  const first = useRef(true);
  const subject = SUBJECTS.map((name) => parameters.value[name]).join(" ");
  useEffect(() => keepFocus(main.current), []);
  useEffect(() => {
    document.title = `${entry.title} – shopmesh console`;
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
    scrollTo(0, 0);
  }, [entry, subject]);
}

function Pages() {
  const entry = PAGES.find(({ id }) => id === page.value) ?? PAGES[0];
  const main = useRef(null);
  usePageChange(entry, main);
  const skip = (event) => {
    event.preventDefault();
    main.current.focus();
  };
  const old = connection.value === "stale" || connection.value === "lost";
  return html`<a class="skip" href="#content" onClick=${skip}>Skip to the content</a>
    <${Header} />
    <main id="content" ref=${main} tabindex="-1" class=${`page page-${entry.id} ${old ? "old" : ""}`}>
      <${Guard} key=${entry.id}><${Content} entry=${entry} /></${Guard}>
    </main>`;
}

export const App = ({ open }) =>
  html`${signedOut.value || session.value === null ? html`<${SignIn} open=${open} />` : html`<${Pages} />`}<${Toasts} />`;
