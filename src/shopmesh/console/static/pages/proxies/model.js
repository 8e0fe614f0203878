// What a proxy's document says, read for people. Pure.

import { idOf } from "../../data/collections.js";

/** The types of configuration in the order in which a proxy gets them. */
export const TYPES = ["clusters", "endpoints", "listeners", "routes", "secrets"];

/** `Clusters` */
export const titleOf = (type) => type[0].toUpperCase() + type.slice(1);

const SHORT = 7;

/** The beginning of a version, which tells versions apart. */
export const short = (version) => version.slice(0, SHORT);

/** All refusals of a proxy: [{type, message, at}]. */
export const refusals = ({ refused, alsoRefused }) => (refused ? [refused, ...(alsoRefused ?? [])] : []);

/** How a proxy stands: {kind of badge, word, text}. */
export function stateOf(proxy) {
  const nacks = refusals(proxy);
  if (nacks.length > 0) {
    return { kind: "bad", word: `NACK: ${nacks.map(({ type }) => type).join(", ")}`, text: "It refused what it was sent, and keeps its last good configuration." };
  }
  if (!proxy.connected) return { kind: "bad", word: "not connected", text: "It is declared, but no stream of it is open." };
  if (!proxy.known) return { kind: "warn", word: "unknown node", text: "Its virtual node or gateway does not exist, so it gets no configuration." };
  if (!proxy.inStep) return { kind: "warn", word: "waiting for ACK", text: "It was sent a configuration that it has not acknowledged yet." };
  return { kind: "good", word: "in sync", text: "It has acknowledged all that it was sent." };
}

/** One type of a proxy: {sent, acked, nack or null, kind, text}; kind is "", good, warn or bad. */
export function typeOf(proxy, type) {
  const { sent = "", acked = "" } = proxy.types[type] ?? {};
  const nack = refusals(proxy).find((one) => one.type === type) ?? null;
  if (nack) return { sent, acked, nack, kind: "bad", text: "refused, see above" };
  if (sent === "" && acked === "") return { sent, acked, nack, kind: "", text: "nothing was sent" };
  if (sent === acked) return { sent, acked, nack, kind: "good", text: `version ${sent}, acknowledged` };
  return { sent, acked, nack, kind: "warn", text: `version ${sent} was sent, ${acked || "none"} is acknowledged` };
}

/** What the parameter `proxy` names, found among the proxies of a mesh, or null. */
export function findProxy(proxies, mesh, text) {
  const [kind, name, ...instance] = (text ?? "").split("/");
  const wanted = instance.join("/");
  return proxies.find((one) => one.mesh === mesh && one.kind === kind && one.name === name && one.instance === wanted) ?? null;
}

/** The route of the control plane below which a proxy's answers and configuration are. */
export const proxyPath = ({ mesh, kind, name, instance }) =>
  `/shopmesh/v1/proxies/${idOf(mesh, kind, name, instance)}`;

/** Resources of Envoy that hold a text, in their name or anywhere in their JSON; each with its text. */
export function search(resources, find) {
  const wanted = find.toLowerCase();
  return resources
    .map((one) => ({ ...one, text: JSON.stringify(one.resource ?? one, null, 2) }))
    .filter((one) => !wanted || one.name.toLowerCase().includes(wanted) || one.text.toLowerCase().includes(wanted));
}

/** What differs between two lists of resources: [{name, change: "added" | "removed" | "changed", before, after}]. */
export function compareResources(before, after) {
  const texts = (list) => new Map(list.map((one) => [one.name, JSON.stringify(one.resource ?? one, null, 2)]));
  const [one, other] = [texts(before), texts(after)];
  return [...new Set([...one.keys(), ...other.keys()])].sort().flatMap((name) => {
    const [was, is] = [one.get(name), other.get(name)];
    if (was === is) return [];
    return [{ name, change: was === undefined ? "added" : is === undefined ? "removed" : "changed", before: was ?? "", after: is ?? "" }];
  });
}
