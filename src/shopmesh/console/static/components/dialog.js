// A window over the page. The browser keeps the focus inside, closes it by Escape, and gives the focus back.

import { html, useEffect, useId, useRef } from "../lib.js";
import { Icon } from "./icons.js";

/** Shown while it is rendered: `close` is called when it closes. `actions` are its buttons, the main one last. */
export function Dialog({ title, close, actions, wide = false, children }) {
  const element = useRef(null);
  const heading = useId();
  useEffect(() => {
    const shown = element.current;
    shown.showModal();
    return () => shown.close();
  }, []);
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} aria-labelledby=${heading} onClose=${close}>
    <header>
      <h2 id=${heading}>${title}</h2>
      <button type="button" class="quiet" aria-label="Close" onClick=${close}><${Icon} name="close" /></button>
    </header>
    <div class="dialog-body">${children}</div>
    ${actions && html`<footer>${actions}</footer>`}
  </dialog>`;
}
