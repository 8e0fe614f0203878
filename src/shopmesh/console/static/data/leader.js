// Which tab has the stream: browsers open six connections to one origin, so all tabs share one. Visible tabs queue for
// a lock; who holds it leads. A tab that is hidden for a while leaves the queue, so that without a visible tab there
// is no stream (W3C: Web Locks API).

const LOCK = "shopmesh-console-stream";
export const HIDDEN_MILLISECONDS = 3000;

/** Calls `lead()`, which returns a function that ends it, whenever this tab leads. Returns a function that ends all. */
export function whileLeading(lead) {
  let candidacy = null;
  let leaving = null;

  const stand = () => {
    clearTimeout(leaving);
    if (candidacy !== null) return;
    candidacy = new AbortController();
    queue(candidacy.signal, lead);
  };
  const leave = () => {
    clearTimeout(leaving);
    candidacy?.abort();
    candidacy = null;
  };
  const look = () => {
    if (document.visibilityState === "visible") stand();
    else {
      clearTimeout(leaving);
      leaving = setTimeout(leave, HIDDEN_MILLISECONDS);
    }
  };

  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", look);
  look();
  return () => {
    document.removeEventListener("visibilitychange", look);
    removeEventListener("pagehide", leave);
    removeEventListener("pageshow", look);
    leave();
  };
}

function queue(signal, lead) {
  const hold = () =>
    new Promise((done) => {
      if (signal.aborted) return done();
      const end = lead();
      signal.addEventListener("abort", () => {
        end();
        done();
      });
    });
  // Locks exist only where the page came over TLS or from this machine; elsewhere each tab has a stream of its own.
  if (navigator.locks) navigator.locks.request(LOCK, { signal }, hold).catch(() => {});
  else hold();
}
