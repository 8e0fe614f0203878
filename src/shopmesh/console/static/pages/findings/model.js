// Findings chosen, ordered, and as text. Pure.

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
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = (one) => {
    const text = [one.code, one.where, one.what, one.why, one.fix].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return findings.filter((one) => (!severity || one.severity === severity) && holds(one)).sort(ORDERS[sort] ?? ORDERS.severity);
}

/** As `shopmesh doctor` prints them, for a message to somebody. */
export const asText = (findings) =>
  findings.map((one) => `${one.severity} ${one.code} ${one.where}: ${one.what}\n  why: ${one.why}\n  fix: ${one.fix}`).join("\n");
