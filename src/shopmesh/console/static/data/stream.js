// One connection to the stream of events, opened again when it ends.

import { request, streamAddress } from "./api.js";

const PATH = "/shopmesh/v1/live";
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 5000;
/** Milliseconds without an event after which the connection is opened anew; the control plane sends one every 5 s. */
export const SILENCE = 12_000;

/**
 * Opens it. `onEvent(event)` gets each state and delta; `onBreak()` is called when the connection has ended and will
 * be opened again, `onRefused()` when nobody is signed in, which ends it. Returns a function that closes it.
 */
export function openStream({ onEvent, onBreak, onRefused }) {
  let source = null;
  let timer = null;
  let pause = FIRST_PAUSE;
  let closed = false;

  const open = () => {
    if (closed) return;
    source = new EventSource(streamAddress(PATH));
    for (const name of ["state", "delta"]) {
      source.addEventListener(name, ({ data }) => {
        pause = FIRST_PAUSE;
        later(ended, SILENCE);
        onEvent(JSON.parse(data));
      });
    }
    source.addEventListener("bye", ended);
    source.addEventListener("error", ended);
    later(ended, SILENCE);
  };
  const ended = async () => {
    clearTimeout(timer);
    source.close();
    onBreak();
    if (await isSignedOut()) {
      if (!closed) onRefused();
      closed = true;
      return;
    }
    later(open, pause * (1 + Math.random() / 4));
    pause = Math.min(LONGEST_PAUSE, pause * 2);
  };
  const later = (work, milliseconds) => {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(work, milliseconds);
  };

  open();
  return () => {
    closed = true;
    clearTimeout(timer);
    source.close();
  };
}

/** An EventSource does not say with which status it was refused. */
async function isSignedOut() {
  try {
    await request("GET", "/session");
    return false;
  } catch (error) {
    return error.status === 401;
  }
}
