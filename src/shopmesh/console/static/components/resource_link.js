// A link to the page of a resource or proxy, named as everywhere: kind in words, name in code.

import { html } from "../lib.js";
import { printable } from "../data/format.js";
import { KINDS, keyHref, nameOf, parseKey } from "../data/resources.js";

const wordsOf = ({ kind, path }) => (kind === "instance" ? ["proxy", path[3]] : [KINDS[kind] ?? kind, nameOf(path)]);

/** `kind` and `path` are a key; `bare` leaves out the word for its kind. */
export function ResourceLink({ kind, path, bare = false }) {
  const address = keyHref({ kind, path });
  const [word, name] = wordsOf({ kind, path });
  const shown = html`${!bare && html`<span class="muted">${word} </span>`}<bdi class="name">${printable(name)}</bdi>`;
  return address ? html`<a class="resource-link" href=${address}>${shown}</a>` : html`<span class="resource-link">${shown}</span>`;
}

/** The same for a key in words, such as `route shopmesh/product-vr/product-r`; other texts stay texts. */
export function KeyLink({ text }) {
  const key = parseKey(text);
  return key ? html`<${ResourceLink} ...${key} />` : html`<bdi class="name">${printable(text)}</bdi>`;
}
