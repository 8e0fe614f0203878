// The live state of the mesh, in every tab: one tab has the stream (leader.js) and passes its events to the others.

import { batch, effect, signal } from "../lib.js";
import { signedOut } from "./api.js";
import { NAMES, apply, nothing, whole } from "./collections.js";
import { whileLeading } from "./leader.js";
import { signIn } from "./session.js";
import { SILENCE, openStream } from "./stream.js";

const CHANNEL = "shopmesh-console-live";
const LOOK_EVERY = 1000;
/** Milliseconds without any event after which the connection is stale once it is broken, and after which it is lost. */
const BROKEN = 2000;
const LOST = SILENCE + 8000;
const NEVER_CONNECTED = 8000;

/** "connecting" | "live" | "stale": what is shown may be old | "lost": for a while already | "signed-out". */
export const connection = signal("connecting");

/** `at` (seconds since 1970), `revision` and `replicas` ({asked, answered}) are null before the first event. */
export const state = {
  at: signal(null),
  revision: signal(null),
  replicas: signal(null),
  collections: Object.fromEntries(NAMES.map((name) => [name, signal(new Map())])),
};

const tab = crypto.getRandomValues(new Uint32Array(2)).join("-");
let channel = null;
let leaving = null;
let close = null;
let collections = nothing();
/** How many events this tab has passed on while it leads. */
let passed = 0;
/** Whose events this tab follows, and the number of the last one; null: it needs the whole state. */
let followed = null;
let heardAt = 0;
let askedAt = 0;
let broken = false;

const leads = () => close !== null;
const isVisible = () => document.visibilityState === "visible";

/** Start, or start again after somebody has signed in. */
export function start() {
  if (leaving !== null) return;
  channel ??= openChannel();
  heardAt = performance.now();
  broken = false;
  connection.value = "connecting";
  askedAt = -LOOK_EVERY;
  leaving = whileLeading(lead);
  ask();
}

/** Close the stream; `state` stays as it is. */
export function stop() {
  leaving?.();
  leaving = null;
}

function openChannel() {
  const opened = new BroadcastChannel(CHANNEL);
  opened.onmessage = ({ data }) => receive(data);
  setInterval(look, LOOK_EVERY);
  document.addEventListener("visibilitychange", () => {
    if (isVisible()) ask();
    look();
  });
  effect(() => {
    if (signedOut.value) end();
  });
  return opened;
}

function lead() {
  const end = openStream({ onEvent: pass, onBreak: () => trouble("broken"), onRefused: () => trouble("signed-out") });
  close = () => {
    close = null;
    end();
  };
  return () => close?.();
}

/** An event of this tab's own stream, for all tabs. */
function pass(event) {
  passed += 1;
  show(event);
  channel.postMessage({ from: tab, number: passed, event });
}

function trouble(what) {
  channel.postMessage({ trouble: what });
  suffer(what);
}

function suffer(what) {
  if (what === "signed-out") signedOut.value = true;
  else broken = true;
  look();
}

/** Ask the tab that has the stream for the whole state. */
function ask() {
  followed = null;
  if (leads() || performance.now() < askedAt + LOOK_EVERY) return;
  askedAt = performance.now();
  channel.postMessage({ asks: tab });
}

function receive(message) {
  if (message.asks && leads() && !broken && state.at.peek() !== null) {
    const event = { at: state.at.peek(), revision: state.revision.peek(), replicas: state.replicas.peek(), ...whole(collections) };
    channel.postMessage({ from: tab, number: passed, event, to: message.asks });
  } else if (message.trouble) suffer(message.trouble);
  else if (message.event && !leads() && (message.to ?? tab) === tab) follow(message);
}

/** An event of another tab's stream. A hidden tab leaves it, and asks for the whole state when it is seen again. */
function follow({ from, number, event }) {
  if (signedOut.peek()) resume();
  else if (!isVisible()) followed = null;
  else if (event.collections || (followed?.from === from && followed.number + 1 === number)) {
    followed = { from, number };
    show(event);
  } else ask();
}

/** Another tab is signed in again. */
async function resume() {
  if (await signIn()) start();
}

function show(event) {
  heardAt = performance.now();
  broken = false;
  const after = apply(collections, event);
  batch(() => {
    state.at.value = event.at;
    state.revision.value = event.revision;
    state.replicas.value = event.replicas;
    for (const name of NAMES) state.collections[name].value = after[name];
    connection.value = "live";
  });
  collections = after;
}

function end() {
  stop();
  channel.postMessage({ trouble: "signed-out" });
  connection.value = "signed-out";
}

/** How old what is shown may be. */
function look() {
  if (signedOut.peek() || leaving === null) return;
  const silent = performance.now() - heardAt;
  if (state.at.peek() === null) connection.value = silent > NEVER_CONNECTED ? "lost" : "connecting";
  else if (silent > LOST) connection.value = "lost";
  else if (silent > (broken ? BROKEN : SILENCE)) connection.value = "stale";
}
