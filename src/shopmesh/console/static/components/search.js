// A field whose words filter what is shown. The address holds them.

import { html } from "../lib.js";
import { change, parameters } from "../data/address.js";

/** `name`: the parameter. */
export const Search = ({ label, placeholder = "Filter", name }) =>
  html`<input type="search" placeholder=${placeholder} aria-label=${label} value=${parameters.value[name] ?? ""} onInput=${({ target }) => change({ [name]: target.value })} />`;

/** Those of which the text holds all words of `filter`, whatever the case. */
export function withWords(all, textOf, filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return all;
  return all.filter((one) => {
    const text = textOf(one).toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
