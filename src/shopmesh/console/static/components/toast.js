// Short messages at the edge of the window: what was done, and a button that undoes it.

import { html, signal } from "../lib.js";
import { Icon } from "./icons.js";

const SHORT = 6000;
const WITH_ACTION = 60000;
const MOST = 4;

const toasts = signal([]);
let last = 0;

const dismiss = (id) => (toasts.value = toasts.value.filter((shown) => shown.id !== id));

/** Show `text`. `kind`: good, bad or none. `action`: {label, run}, a button such as Undo; then it stays for a minute. */
export function toast(text, { kind = "", action = null } = {}) {
  const id = ++last;
  toasts.value = [...toasts.value, { id, text, kind, action }].slice(-MOST);
  setTimeout(() => dismiss(id), action ? WITH_ACTION : SHORT);
  return () => dismiss(id);
}

function Toast({ id, text, kind, action }) {
  const act = () => {
    dismiss(id);
    action.run();
  };
  return html`<div class=${`toast ${kind}`}>
    <span class="toast-text">${text}</span>
    ${action && html`<button type="button" onClick=${act}><${Icon} name="undo" />${action.label}</button>`}
    <button type="button" class="quiet" aria-label="Dismiss" onClick=${() => dismiss(id)}><${Icon} name="close" /></button>
  </div>`;
}

export const Toasts = () =>
  html`<div class="toasts" role="status" aria-live="polite">${toasts.value.map((shown) => html`<${Toast} key=${shown.id} ...${shown} />`)}</div>`;
