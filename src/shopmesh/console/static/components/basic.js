// The small parts that every page uses: badges, times, copying, and what stands where there is nothing (yet).

import { html, signal, useEffect, useState } from "../lib.js";
import { duration, printable, time, utc } from "../data/format.js";
import { Icon } from "./icons.js";
import { toast } from "./toast.js";

/** A word in a coloured frame. `kind`: good, warn, bad, accent or none; the mark before it says the same by shape. */
export const Badge = ({ kind = "", title, children }) =>
  html`<span class=${`badge ${kind}`} title=${title}>${children}</span>`;

const SECOND = 1000;
const now = signal(Date.now() / 1000);
setInterval(() => {
  if (!document.hidden) now.value = Date.now() / 1000;
}, SECOND);

/** A moment (seconds since 1970) in local time, UTC on hover; with `ago` as the time since then, growing. */
export function Time({ at, ago = false }) {
  if (at === null || at === undefined) return html`<span class="muted">–</span>`;
  const text = ago ? `${duration(now.value - at)} ago` : time(at);
  const title = ago ? `${time(at)} local, ${utc(at)}` : utc(at);
  return html`<time datetime=${new Date(at * SECOND).toISOString()} title=${title}>${text}</time>`;
}

/** Put text on the clipboard; where the browser offers none (plain HTTP from another machine), through a selection. */
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

const SHOW_DONE = 1500;

/** A button that copies `text` (or what the function `text` returns); `label` says what that is. */
export function Copy({ text, label = "Copy", visible = false }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), SHOW_DONE);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = () =>
    copyText(typeof text === "function" ? text() : text).then(
      () => setDone(true),
      () => toast("The browser did not let this page copy.", { kind: "bad" }),
    );
  return html`<button type="button" class="quiet" onClick=${copy} aria-label=${visible ? undefined : label} title=${label}>
    <${Icon} name=${done ? "check" : "copy"} />${visible && label}
    <span class="only-read" role="status">${done ? "copied" : ""}</span>
  </button>`;
}

/** A command or other text of one line, with a button that copies it. */
export const Command = ({ text }) =>
  html`<span class="command"><code>${text}</code><${Copy} text=${text} label=${`Copy “${text}”`} /></span>`;

/** Where there is nothing: what would be here, and how it comes to be. */
export const Empty = ({ title, children }) =>
  html`<div class="state"><p class="state-title">${title}</p>${children && html`<div>${children}</div>`}</div>`;

export const Loading = ({ what = "the mesh" }) =>
  html`<div class="state loading" role="status"><p>Loading ${what} …</p></div>`;

/** What went wrong, as the control plane says it, and a way to try again. */
export const Problem = ({ error, retry }) =>
  html`<div class="state problem" role="alert">
    <p class="state-title">${error.message}</p>
    ${error.code && html`<p class="muted">${error.status ? `${error.status} ` : ""}${error.code}</p>`}
    ${retry && html`<button type="button" onClick=${retry}>Try again</button>`}
  </div>`;

/** Why what was asked for was refused, beside the buttons that asked; nothing without an error. */
export const Refusal = ({ error }) =>
  error && html`<p class="notice bad" role="alert"><bdi>${printable(error.message)}</bdi></p>`;
