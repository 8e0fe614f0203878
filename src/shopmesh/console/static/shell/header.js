// The header: which mesh, the pages, the connection, the theme, and who is signed in.

import { html } from "../lib.js";
import { Badge, Time } from "../components/basic.js";
import { Icon } from "../components/icons.js";
import { change, href, page } from "../data/address.js";
import { connection, state } from "../data/live.js";
import { mesh, meshNames, whole } from "../data/mesh.js";
import { readOnly, session, signOut } from "../data/session.js";
import { nextTheme, theme } from "../data/theme.js";
import { PAGES } from "../pages/index.js";
import { toast } from "../components/toast.js";

function MeshChoice() {
  if (meshNames.value.length === 0) return null;
  if (meshNames.value.length === 1) return html`<span class="mesh-name"><span class="muted">mesh</span> ${mesh.value}</span>`;
  return html`<select class="mesh-name" aria-label="Mesh" value=${mesh.value} onChange=${(event) => change({ mesh: event.target.value })}>
    ${meshNames.value.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
  </select>`;
}

const CONNECTIONS = {
  connecting: ["", "connecting"],
  live: ["good", "live"],
  stale: ["warn", "stale"],
  lost: ["bad", "no connection"],
  "signed-out": ["bad", "signed out"],
};

/** The state of the stream. Only its change is announced, not each second of its age. */
function Connection() {
  const [kind, word] = CONNECTIONS[connection.value] ?? CONNECTIONS.connecting;
  const old = kind === "warn" || kind === "bad";
  return html`<span class="connection">
    <span role="status"><${Badge} kind=${kind}>${word}</${Badge}></span>
    ${old && state.at.value !== null && html`<span class="muted">from <${Time} at=${state.at.value} ago=${true} /></span>`}
  </span>`;
}

/** How many things on a page ask for attention. */
function alerts(id) {
  if (id === "findings") return [...whole("findings").values()].filter(({ severity }) => severity === "error").length;
  if (id === "proxies") return [...whole("proxies").values()].filter(({ refused }) => refused).length;
  return 0;
}

function PageLink({ id, title }) {
  const here = page.value === id;
  const attention = alerts(id);
  return html`<li>
    <a href=${href(id, { mesh: mesh.value })} aria-current=${here ? "page" : undefined}>
      <${Icon} name=${id} /><span>${title}</span>
      ${attention > 0 && html`<span class="alert-count">${attention}<span class="only-read"> need attention</span></span>`}
    </a>
  </li>`;
}

const leave = () => signOut().catch((error) => toast(error.message, { kind: "bad" }));

export const Header = () =>
  html`<header class="top">
    <a class="brand" aria-label="shopmesh" href=${href("mesh", { mesh: mesh.value })}><img src="static/icon.svg" alt="" width="24" height="24" /><span>shopmesh</span></a>
    <${MeshChoice} />
    <nav aria-label="Pages"><ul>${PAGES.map((entry) => html`<${PageLink} key=${entry.id} ...${entry} />`)}</ul></nav>
    <div class="top-end">
      ${readOnly.value && html`<${Badge} kind="accent" title="This console shows everything and changes nothing">read-only</${Badge}>`}
      <${Connection} />
      <button type="button" class="quiet" onClick=${nextTheme} title=${`Theme: ${theme.value}`} aria-label=${`Theme: ${theme.value}. Change it`}>
        <${Icon} name=${theme.value} />
      </button>
      ${session.value?.accessKey &&
      html`<button type="button" class="quiet" onClick=${leave} title=${`Sign out ${session.value.accessKey}`} aria-label=${`Sign out ${session.value.accessKey}`}><${Icon} name="out" /></button>`}
    </div>
  </header>`;
