// A plain text area with the numbers of its lines; lines with mistakes stand out.

import { html, useEffect, useRef } from "../../lib.js";

const ABOVE = 4;

/** Select line `at.line` (from 1) and bring it into view. */
function show(area, { line }) {
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const height = area.scrollHeight / Math.max(1, lines.length);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  area.scrollTop = Math.max(0, (line - 1 - ABOVE) * height);
}

/** `marked`: numbers of lines with mistakes; `at`: {line}, a new object for each jump; `describedBy`: id of the mistakes. */
export function TextArea({ label, text, setText, marked, at, submit, describedBy }) {
  const area = useRef(null);
  const numbers = useRef(null);
  useEffect(() => {
    if (at) show(area.current, at);
  }, [at]);
  const key = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    submit();
  };
  const scroll = () => (numbers.current.scrollTop = area.current.scrollTop);
  const count = text.split("\n").length;
  return html`<div class="resources-editor">
    <div class="resources-numbers" ref=${numbers} aria-hidden="true">${Array.from({ length: count }, (_, index) => {
      const bad = marked.has(index + 1);
      return html`<span key=${index} class=${bad ? "bad" : ""}>${index + 1}</span>`;
    })}</div>
    <textarea ref=${area} aria-label=${label} aria-invalid=${marked.size > 0} aria-describedby=${describedBy} wrap="off" spellcheck=${false}
      autocomplete="off" autocapitalize="off" value=${text} onInput=${(event) => setText(event.target.value)} onKeyDown=${key} onScroll=${scroll} />
  </div>`;
}
