// Findings chosen, ordered, and as text. Pure.

import { withWords } from "../../components/search.js";

/** Those of a mesh, and those that concern no mesh. */
export const ofMesh = (findings, mesh) => findings.filter((one) => one.mesh === "" || one.mesh === mesh);

const compare = (of) => (one, other) => of(one).localeCompare(of(other), "en", { numeric: true });

/** By what findings can be sorted; within it errors come first. */
export const ORDERS = {
  severity: compare(({ severity, code, where }) => `${severity} ${code} ${where}`),
  resource: compare(({ where, severity, code }) => `${where} ${severity} ${code}`),
  code: compare(({ code, where }) => `${code} ${where}`),
};

/** Those of a severity (empty: of each) that hold all words of the filter, in an order of `ORDERS`. */
export function choose(findings, { severity, filter, sort }) {
  const ours = findings.filter((one) => !severity || one.severity === severity);
  const textOf = ({ code, where, what, why, fix }) => [code, where, what, why, fix].join("\n");
  return [...withWords(ours, textOf, filter)].sort(ORDERS[sort] ?? ORDERS.severity);
}

/** As `shopmesh doctor` prints them, for a message to somebody. */
export const asText = (findings) =>
  findings.map((one) => `${one.severity} ${one.code} ${one.where}: ${one.what}\n  why: ${one.why}\n  fix: ${one.fix}`).join("\n");
