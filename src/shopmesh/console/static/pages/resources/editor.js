// A manifest in a text area: it is checked without writing, then the difference is shown, then it may be applied.

import { html, useRef, useState } from "../../lib.js";
import { Refusal } from "../../components/basic.js";
import { toast } from "../../components/toast.js";
import { go } from "../../data/address.js";
import { get, send } from "../../data/api.js";
import { mesh } from "../../data/mesh.js";
import { resourcePath } from "../../data/resources.js";
import { Conflict } from "./conflict.js";
import { draftOf, dropDraft, keepDraft } from "./drafts.js";
import { Mistakes } from "./mistakes.js";
import { Plan } from "./plan.js";
import { TextArea } from "./text_area.js";

const NOTHING = { plan: null, mistakes: [], conflict: undefined, problem: null };
const baseOf = ({ kind, path, digest }) => ({ kind, path, digest });

/** Outcome of checking a text: a plan, mistakes, a conflict, or another refusal. */
async function check({ text, base }) {
  try {
    return { ...NOTHING, plan: await send("POST", "/shopmesh/v1/manifests", { text, mesh: mesh.peek(), base }) };
  } catch (error) {
    if (error.document.errors) return { ...NOTHING, mistakes: error.document.errors };
    if (error.status === 409 && error.document.current) return { ...NOTHING, conflict: error.document.current };
    if (error.status === 404 && base) return { ...NOTHING, conflict: null };
    return { ...NOTHING, problem: error };
  }
}

/** Outcome of writing a plan: {revision}, or as of `check`. */
async function write({ plan, base }) {
  try {
    return { revision: (await send("POST", "/shopmesh/v1/requests", { requests: plan.requests })).revision };
  } catch (error) {
    if (error.status !== 409 || !base) return { ...NOTHING, problem: error };
    return get(resourcePath(base)).then(
      (current) => ({ ...NOTHING, conflict: current }),
      (other) => (other.status === 404 ? { ...NOTHING, conflict: null } : { ...NOTHING, problem: other }),
    );
  }
}

function afterWriting(plan, revision, close) {
  const count = plan.steps.filter(({ verb }) => verb !== "unchanged").length;
  toast(`Applied in revision ${revision}: ${count === 1 ? "one resource" : `${count} resources`}`, { kind: "good" });
  const created = plan.steps.find(({ verb, kind }) => verb === "created" && kind !== "route");
  if (created) go("resources", { mesh: created.path[0], resource: [created.kind, ...created.path.slice(1)].join("/") });
  else close();
}

/** `name` tells drafts apart; `found` is the resource as it was read, or nothing for a new one, which begins with `template`. */
export function Editor({ name, found, template = "", close }) {
  const make = () => (found ? { text: found.manifest, read: found.manifest, base: baseOf(found) } : { text: template, read: template, base: null });
  const [draft, setDraft] = useState(() => draftOf(name, make));
  const latest = useRef(draft);
  const [outcome, setOutcome] = useState(NOTHING);
  const [busy, setBusy] = useState(false);
  const [at, setAt] = useState(null);
  const { plan, mistakes, conflict, problem } = outcome;
  const put = (next) => {
    keepDraft(name, next);
    latest.current = next;
    setDraft(next);
    setOutcome(NOTHING);
  };
  const run = async (work) => {
    if (busy) return undefined;
    setBusy(true);
    const result = await work();
    setBusy(false);
    return result;
  };
  const tryOut = async () => {
    const result = await run(() => check(draft));
    // What was typed meanwhile is not what was checked.
    if (result && latest.current === draft) setOutcome(result);
  };
  const apply = async () => {
    const result = await run(() => write({ plan, base: draft.base }));
    if (result?.revision === undefined) return setOutcome(result ?? outcome);
    dropDraft(name);
    return afterWriting(plan, result.revision, close);
  };
  const cancel = () => {
    dropDraft(name);
    close();
  };
  const takeTheirs = () => put({ text: conflict.manifest, read: conflict.manifest, base: baseOf(conflict) });
  const keepMine = () => put({ ...draft, base: conflict && baseOf(conflict) });
  const marked = new Set(mistakes.map(({ line }) => line).filter((line) => line > 0));
  return html`<div class="stack">
    <${TextArea} label="Manifest" text=${draft.text} setText=${(text) => put({ ...draft, text })} marked=${marked} at=${at} submit=${tryOut} describedBy="mistakes" />
    <${Mistakes} id="mistakes" mistakes=${mistakes} jump=${(line) => setAt({ line })} />
    <${Refusal} error=${problem} />
    ${conflict !== undefined && html`<${Conflict} current=${conflict} text=${draft.text} takeTheirs=${takeTheirs} keepMine=${keepMine} />`}
    <div class="row">
      <button type="button" onClick=${cancel}>Cancel</button>
      <button type="button" class=${plan ? "" : "main"} disabled=${busy} onClick=${tryOut} title="Ctrl+Enter in the text">Check</button>
      <button type="button" class=${plan ? "main" : ""} disabled=${busy || !plan?.requests.length} onClick=${apply}>Apply</button>
      <span class="muted small">${plan ? "Nothing is written yet." : "A check writes nothing. It shows what would change."}</span>
    </div>
    ${plan && html`<${Plan} plan=${plan} />`}
  </div>`;
}
