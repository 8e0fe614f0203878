// What a person is about to do with a route, and has just done: it stays while she looks at other pages.

import { batch, signal } from "../../lib.js";
import { get, send } from "../../data/api.js";
import { partsOf } from "../../data/collections.js";
import { resourcePath } from "../../data/resources.js";
import { normalise, updateRequest, weightsOf, withWeight, withWeights } from "./logic/weights.js";

const PATIENCE = 30_000;
/** Seconds for which the control plane holds each answer back while proxies confirm. */
const WAIT = 0.3;

const editors = new Map();

/** The editor of a route, by its ID. */
export function editorOf(id) {
  if (!editors.has(id)) editors.set(id, new Editor(id));
  return editors.get(id);
}

/**
 * Signals, each null where there is none: `loaded` {route: the answer of DescribeRoute, manifest}, `draft` {weights,
 * base, of}, `applied`: the last change that was made here, `conflict`, `problem`: an ApiError.
 */
class Editor {
  constructor(id) {
    this.path = resourcePath({ kind: "route", path: partsOf(id) });
    for (const name of ["loaded", "draft", "applied", "conflict", "problem"]) this[name] = signal(null);
    this.busy = signal(false);
  }

  async read() {
    const { api, manifest } = await get(this.path);
    return { route: api, manifest };
  }

  /** Read the route anew; a change that is being prepared stays one of the version that it began with. */
  async load() {
    try {
      const found = await this.read();
      this.problem.value = null;
      if (this.draft.peek() === null) this.loaded.value = found;
    } catch (error) {
      this.problem.value = error;
    }
  }

  /** One version gets `value` per cent. As long as the same one is moved, the others keep their proportions. */
  move(index, value) {
    const draft = this.draft.peek();
    const base = draft?.of === index ? draft.base : (draft?.weights ?? normalise(weightsOf(this.loaded.peek().route)));
    this.propose(withWeight(base, index, value), base, index);
  }

  propose(weights, base = null, of = null) {
    this.draft.value = weights.join() === weightsOf(this.loaded.peek().route).join() ? null : { weights, base, of };
  }

  reset() {
    this.draft.value = null;
    this.load();
  }

  /** The specification with the weights that are proposed. */
  get spec() {
    return withWeights(this.loaded.value.route.spec, this.draft.value.weights);
  }

  apply() {
    return this.write("applied", this.loaded.peek().route, this.spec);
  }

  /** Take the last change back, or make again what was taken back, unless somebody else has written since. */
  undo() {
    const { what, before, after } = this.applied.peek();
    return this.write(what === "undone" ? "applied" : "undone", after, before.spec);
  }

  async write(what, route, spec) {
    this.busy.value = true;
    try {
      const { revision, answers } = await send("POST", "/shopmesh/v1/requests", { requests: [updateRequest(route, spec)] });
      batch(() => {
        this.draft.value = this.conflict.value = this.problem.value = null;
        this.applied.value = { what, revision, before: route, after: answers[0].route, at: Date.now() / 1000, change: null };
      });
      await this.load();
      this.follow(revision);
    } catch (error) {
      if (error.status === 409) await this.compare(what, { ...route, spec }, error);
      else this.problem.value = error;
    } finally {
      this.busy.value = false;
    }
  }

  /** Somebody else wrote meanwhile: what they wrote beside what was refused. */
  async compare(what, mine, { message }) {
    try {
      this.conflict.value = { what, mine, message, theirs: await this.read() };
    } catch (error) {
      this.problem.value = error;
    }
  }

  /** End the conflict: go on from what the other client wrote, with `weights` as a new proposal or none. */
  takeTheirs(weights = null) {
    batch(() => {
      this.loaded.value = this.conflict.peek().theirs;
      this.draft.value = this.conflict.value = null;
      if (weights) this.propose(weights);
    });
  }

  /** Ask until all proxies have confirmed the revision. */
  async follow(revision) {
    const ends = Date.now() + PATIENCE;
    while (this.applied.peek().revision === revision && !this.applied.peek().change?.converged && Date.now() < ends) {
      const change = await get(`/shopmesh/v1/changes/${revision}?wait=${WAIT}`).catch(() => null);
      if (change === null) await new Promise((done) => setTimeout(done, 1000 * WAIT));
      else if (this.applied.peek().revision === revision) this.applied.value = { ...this.applied.peek(), change };
    }
  }
}
