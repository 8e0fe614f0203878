// What a canary's document says, as a page shows it, and the plan of a new one. Pure.

import { quoted } from "./weights.js";

/** The owner of canaries that the control plane judges itself. */
export const CONTROL_PLANE = "control-plane";

/** The stages with the end, each "done", "now", "next" or "failed": [{label, is}]. */
export function stagesOf({ plan, phase, stage }) {
  const labels = [plan.match, plan.mirror && `mirror ${plan.mirror}`, ...plan.steps.map((step) => `${step} %`), "100 %"].filter(Boolean);
  const reached = phase === "promoted" ? labels.length : stage;
  const there = phase === "running" ? "now" : "failed";
  return labels.map((label, at) => ({ label, is: at < reached ? "done" : at === reached ? there : "next" }));
}

const PHASES = {
  running: ["accent", "running"],
  promoted: ["good", "promoted"],
  rolled_back: ["bad", "rolled back"],
  expired: ["bad", "rolled back"],
  stopped: ["warn", "stopped"],
};

/** The kind and the text of its badge. */
export function badgeOf({ phase, paused, called }) {
  const [kind, word] = PHASES[phase] ?? ["", phase];
  if (phase !== "running") return [kind, word];
  return paused ? ["warn", `paused at ${called}`] : [kind, `${word} at ${called}`];
}

/** The bounds of a plan in words. */
export function boundsOf({ maxErrorRate, maxP99, minRequests }) {
  const errors = maxErrorRate && `errors up to ${maxErrorRate.replace("%", " %")}`;
  return [errors, maxP99 && `p99 up to ${parseFloat(maxP99)} ms`, `at least ${minRequests} requests a stage`].filter(Boolean).join(", ");
}

/** The fields of a plan, with the option of `shopmesh canary`: what is typed is a value without its unit. */
export const FIELDS = [
  { name: "steps", option: "steps", title: "Steps, per cent before 100", first: "5, 10, 25, 50", required: true },
  { name: "every", option: "every", unit: "s", title: "Seconds a step, at least", first: "30", required: true },
  { name: "maxErrorRate", option: "max-error-rate", unit: "%", title: "Errors, at most per cent", first: "1", required: true },
  { name: "maxP99", option: "max-p99", unit: "ms", title: "p99, at most ms", placeholder: "not checked" },
  { name: "minRequests", option: "min-requests", title: "Requests a step, at least", first: "100", required: true },
  { name: "patience", option: "patience", unit: "s", title: "Seconds to wait for them", placeholder: "10 times a step", more: true },
  { name: "match", option: "match", before: "header:", title: "First requests with header", placeholder: "x-canary=1", more: true },
  { name: "mirror", option: "mirror", unit: "%", title: "Then mirror per cent", placeholder: "nothing", more: true },
];

/** The plan that the fields say, in the form that the control plane reads. */
export function planOf(typed) {
  const written = FIELDS.filter(({ name }) => typed[name]).map(({ name, before = "", unit = "" }) => [name, before + typed[name] + unit]);
  return { to: typed.to, manual: typed.manual, ...Object.fromEntries(written), minRequests: Number(typed.minRequests) };
}

/** The command that starts the same canary. */
export function commandOf(router, route, plan) {
  const options = FIELDS.filter(({ name }) => plan[name]).flatMap(({ name, option }) => [`--${option}`, String(plan[name]).replaceAll(", ", ",")]);
  const words = ["shopmesh", "canary", router, "--route", route, "--to", plan.to, ...options, ...(plan.manual ? ["--manual"] : []), "--detach"];
  return words.map(quoted).join(" ");
}

/** The targets that can become a canary: those that get nothing, beside one that gets something. */
export const candidatesOf = ({ targets }) => (targets.some(({ weight }) => weight > 0) ? targets.filter(({ weight }) => weight === 0) : []);

/** Why no canary can be started on a route, or null. `called`: whether any proxy of the mesh calls its service. */
export function obstacleOf(route, called) {
  if (route.protocol === "tcp") return "TCP routes have no canaries: Envoy counts no requests there.";
  if (!called) return "Nothing in the mesh calls this service, so no Envoy would choose the version of a canary.";
  return candidatesOf(route).length > 0 ? null : "A canary can begin when a target of this route has the weight 0.";
}
