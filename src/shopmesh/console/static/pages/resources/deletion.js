// Deleting a resource: its name is typed, and the API says what still needs it.

import { html, useState } from "../../lib.js";
import { Refusal } from "../../components/basic.js";
import { Dialog } from "../../components/dialog.js";
import { toast } from "../../components/toast.js";
import { go } from "../../data/address.js";
import { send } from "../../data/api.js";
import { printable } from "../../data/format.js";
import { deletion, KINDS, nameOf } from "../../data/resources.js";

/** `sent`: the deletion is under way. */
export function Deletion({ found, sent, setSent, close }) {
  const name = nameOf(found.path);
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState(null);
  const run = (event) => {
    event.preventDefault();
    if (typed !== name || sent) return;
    setSent(true);
    setProblem(null);
    send("POST", "/shopmesh/v1/requests", { requests: [deletion(found)] }).then(
      ({ revision }) => {
        toast(`Deleted the ${KINDS[found.kind]} ${printable(name)} in revision ${revision}`, { kind: "good" });
        go("resources", { kind: found.kind });
      },
      (error) => {
        setSent(false);
        const isOld = error.status === 409 && error.message.includes("version");
        setProblem({ message: isOld ? `${error.message}. Close this, look at what changed, and decide again.` : error.message });
      },
    );
  };
  return html`<${Dialog} title=${`Delete the ${KINDS[found.kind]}`} close=${close}
    actions=${html`<button type="button" onClick=${close}>Cancel</button>
      <button type="submit" form="deletion" class="danger" disabled=${typed !== name || sent}>Delete</button>`}>
    <form id="deletion" class="stack" onSubmit=${run}>
      <p>The control plane deletes <bdi class="name"><strong>${printable(name)}</strong></bdi> at once, and its proxies get what is left. Nothing brings it back but its manifest.</p>
      <div class="field">
        <label for="deletion-name">Type its name to confirm</label>
        <input id="deletion-name" autocomplete="off" spellcheck=${false} value=${typed} onInput=${(event) => setTyped(event.target.value)} />
      </div>
      <${Refusal} error=${problem} />
    </form>
  </${Dialog}>`;
}
