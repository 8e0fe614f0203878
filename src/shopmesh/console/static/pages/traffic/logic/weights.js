// Weights of a route as a person moves them, whole numbers that always add up to 100, and the change that they are. Pure.

export const TOTAL = 100;

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/**
 * Whole shares of `total` in proportion to `weights`, by largest remainder: what rounding down leaves goes to the
 * greatest fractions, the first of equal ones first. Equal shares where nothing has a weight.
 */
export function distribute(total, weights) {
  const parts = sum(weights) > 0 ? weights : weights.map(() => 1);
  const exact = parts.map((part) => (part * total) / sum(parts));
  const shares = exact.map(Math.floor);
  const byFraction = exact.map((value, at) => [value - shares[at], at]).sort((one, other) => other[0] - one[0] || one[1] - other[1]);
  for (const [, at] of byFraction.slice(0, total - sum(shares))) shares[at] += 1;
  return shares;
}

/** Percentages: App Mesh allows any whole weights from 0 to 100. */
export const normalise = (weights) => distribute(TOTAL, weights);

/** `weights` with `value` for one, the rest shared by the others as they share it now; a lone version keeps all. */
export function withWeight(weights, index, value) {
  if (weights.length === 1) return [TOTAL];
  const chosen = Math.min(TOTAL, Math.max(0, Math.round(Number(value) || 0)));
  const others = distribute(TOTAL - chosen, weights.filter((_, at) => at !== index));
  return weights.map((_, at) => (at === index ? chosen : others.shift()));
}

const kindOf = (spec) => Object.keys(spec).find((name) => name.endsWith("Route"));

/** The weighted targets of a route's specification, in their order. */
export const targetsOf = (spec) => spec[kindOf(spec)].action.weightedTargets;

export const weightsOf = ({ spec }) => targetsOf(spec).map(({ weight }) => weight);

/** The specification with other weights, one a target; everything else is as it was. */
export function withWeights(spec, weights) {
  const changed = structuredClone(spec);
  targetsOf(changed).forEach((target, at) => (target.weight = weights[at]));
  return changed;
}

/** The input of UpdateRoute. `route` is the answer of DescribeRoute. */
export const updateInput = ({ meshName, virtualRouterName, routeName }, spec) => ({ meshName, virtualRouterName, routeName, spec });

/** The request of App Mesh's API for it, as text. */
export const updateCall = ({ meshName, virtualRouterName, routeName, spec }) => {
  const path = ["meshes", meshName, "virtualRouter", virtualRouterName, "routes", routeName].map(encodeURIComponent).join("/");
  return `PUT /v20190125/${path}\n\n${JSON.stringify({ spec }, null, 2)}`;
};

/** One entry of `POST /shopmesh/v1/requests`, refused if the route is of another version by then. */
export const updateRequest = (route, spec) => ({
  operation: "UpdateRoute",
  parameters: updateInput(route, spec),
  expect: { version: route.metadata.version, uid: route.metadata.uid },
});

/** An argument for a POSIX shell. */
export const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

export const awsCommand = (input) => `aws appmesh update-route --cli-input-json ${quoted(JSON.stringify(input))}`;

/** `shopmesh route …`, or null where it cannot make the change: a node that is named twice, by different ports. */
export function shopmeshCommand({ meshName, virtualRouterName, routeName, spec }) {
  const shares = new Map(targetsOf(spec).map(({ virtualNode, weight }) => [virtualNode, weight]));
  if (shares.size < targetsOf(spec).length) return null;
  const words = ["shopmesh", "--mesh", meshName, "route", virtualRouterName, "--route", routeName];
  return [...words, ...[...shares].map(([node, weight]) => `${node}=${weight}`)].map(quoted).join(" ");
}

const indent = (line) => line.length - line.trimStart().length;

/** Indexes of the lines below `lines[at]` that belong to it: indented more, or items of its list. */
function block(lines, at) {
  const inside = (line) => indent(line) > indent(lines[at]) || line.startsWith("- ", indent(lines[at]));
  const end = lines.findIndex((line, next) => next > at && !inside(line));
  return [...lines.keys()].slice(at + 1, end < 0 ? lines.length : end);
}

/**
 * The manifest of a router, as the control plane writes it, with other weights for one of its routes; null where the
 * text does not say the weights `before`, one a target.
 */
export function withWeightsInManifest(text, routeName, before, after) {
  const lines = text.split("\n");
  const names = [`  - name: ${routeName}`, `  - name: '${routeName.replaceAll("'", "''")}'`];
  const begin = lines.findIndex((line, at) => names.includes(line) && at > lines.indexOf("  routes:"));
  const targets = lines.findIndex((line, at) => begin >= 0 && at > begin && line === "        weightedTargets:");
  if (targets < 0) return null;
  const at = block(lines, targets).filter((index) => /^(?: {8}- | {10})weight: \d+$/.test(lines[index]));
  const stated = at.map((index) => Number(/\d+$/.exec(lines[index])[0]));
  if (stated.join() !== before.join()) return null;
  at.forEach((index, target) => (lines[index] = lines[index].replace(/\d+$/, after[target])));
  return lines.join("\n");
}
