// What the table and the details of a change share.

import { html } from "../../lib.js";
import { Badge } from "../../components/basic.js";
import { amount, milliseconds, printable } from "../../data/format.js";
import { progress } from "./model.js";

/** An access key, or who wrote the object in a cluster; a proxy that came or went did so itself. */
export const Author = ({ author, door }) =>
  door === "proxy" ? html`<span class="muted">–</span>` : author ? html`<bdi class="name">${printable(author)}</bdi>` : html`<span class="muted">unknown</span>`;

/** The time until the last proxy had it, or how many have it so far. */
export function Converged({ change: one }) {
  const { done, all } = progress(one);
  if (!one.converged) return html`<${Badge} kind="warn">${done} of ${amount(all, "proxy", "proxies")}</${Badge}>`;
  if (one.milliseconds === null) return html`<span class="muted" title="No proxy needed to be sent anything">no proxy</span>`;
  return html`<span>${milliseconds(one.milliseconds)}</span>`;
}
