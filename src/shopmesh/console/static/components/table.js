// A table that sorts, filters and copies. What it is sorted and filtered by stands in the address.

import { html, useMemo, useState } from "../lib.js";
import { change, parameters } from "../data/address.js";
import { amount } from "../data/format.js";
import { Copy, Empty } from "./basic.js";
import { Icon } from "./icons.js";
import { Search, withWords } from "./search.js";

const STEP = 100;

const textOf = (column, row) => String(column.value(row) ?? "");

/** Rows of which the cells hold all words of `filter`. */
export const filterRows = (rows, columns, filter) => withWords(rows, (row) => columns.map((column) => textOf(column, row)).join("\n"), filter);

const ORDER = new Intl.Collator("en", { numeric: true });

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return ORDER.compare(String(one), String(other));
}

/** Rows in the order of `sort`: a column's id, with `-` before it from the greatest to the least; unknown last. */
export function sortRows(rows, columns, sort) {
  const descending = sort.startsWith("-");
  const column = columns.find(({ id }) => id === sort.replace(/^-/, ""));
  if (!column) return rows;
  const unknown = (value) => value === null || value === undefined;
  return [...rows].sort((one, other) => {
    const [first, second] = [column.value(one), column.value(other)];
    if (unknown(first) || unknown(second)) return unknown(first) - unknown(second);
    return descending ? compare(second, first) : compare(first, second);
  });
}

/** Tab-separated lines, which spreadsheets take. */
export function asText(rows, columns) {
  const clean = (text) => text.replace(/[\t\r\n]+/g, " ");
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((column) => textOf(column, row)))];
  return lines.map((cells) => cells.map(clean).join("\t")).join("\n");
}

function Heading({ column, sort, setSort }) {
  const direction = sort === column.id ? "ascending" : sort === `-${column.id}` ? "descending" : "none";
  const next = direction === "ascending" ? `-${column.id}` : column.id;
  if (column.sort === false) return html`<th scope="col" class=${column.align}>${column.title}</th>`;
  return html`<th scope="col" class=${column.align} aria-sort=${direction}>
    <button type="button" class="heading" onClick=${() => setSort(next)}>
      ${column.title}${direction !== "none" && html`<${Icon} name=${direction === "ascending" ? "up" : "down"} />`}
    </button>
  </th>`;
}

/**
 * `columns`: [{id, title, value: row => text, number or null, cell: row => what is shown (default: the value),
 * align: "end" for numbers, sort: false}]; `rowKey`: row => text; `caption` names the table; `name` tells the
 * parameters of several tables of a page apart; `order` is the sort at first; `tools` stands beside the filter;
 * `rowClass`: row => class; `step`: rows shown at first, and with each “more”; `plain`: without filter and copying.
 */
export function Table({ columns, rows, rowKey, caption, name = "", order = "", empty, tools, rowClass, step = STEP, plain = false }) {
  const [sortName, filterName] = [`${name}sort`, `${name}filter`];
  const sort = parameters.value[sortName] ?? order;
  const filter = parameters.value[filterName] ?? "";
  const [shown, setShown] = useState(step);
  const found = useMemo(() => sortRows(filterRows(rows, columns, filter), columns, sort), [rows, columns, filter, sort]);
  const visible = found.slice(0, shown);
  return html`<div class="table-block">
    ${!plain &&
    html`<div class="table-tools">
      <${Search} label=${`Filter ${caption}`} name=${filterName} />
      ${tools}
      <span class="muted table-count" role="status">${filter ? `${found.length} of ${amount(rows.length, "row")}` : amount(rows.length, "row")}</span>
      <${Copy} text=${() => asText(found, columns)} label="Copy table" />
    </div>`}
    <div class="table-scroll" tabindex="0" role="region" aria-label=${caption}>
      <table>
        <caption class="only-read">${caption}</caption>
        <thead><tr>${columns.map((column) => html`<${Heading} key=${column.id} column=${column} sort=${sort} setSort=${(to) => change({ [sortName]: to })} />`)}</tr></thead>
        <tbody>
          ${visible.map(
            (row) => html`<tr key=${rowKey(row)} class=${rowClass?.(row)}>
              ${columns.map((column) => html`<td key=${column.id} class=${column.align}>${column.cell ? column.cell(row) : (column.value(row) ?? "–")}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
      ${found.length === 0 && (filter ? html`<${Empty} title=${`Nothing matches “${filter}”`} />` : (empty ?? html`<${Empty} title="Nothing here" />`))}
    </div>
    ${found.length > shown && html`<button type="button" onClick=${() => setShown(shown + step)}>Show ${Math.min(step, found.length - shown)} more of ${found.length}</button>`}
  </div>`;
}
