// What a route answers, asked again when something changes; meanwhile the former answer stays in view.

import { useCallback, useEffect, useRef, useState } from "../lib.js";
import { get } from "./api.js";
import { connection } from "./live.js";

/** At least so many milliseconds between two requests of one component: deltas come once a second. */
const PAUSE = 500;

/**
 * {answer, error, loading, again} of GET `path`, which is asked again when `version` changes, and when the stream goes
 * on after a break: another control plane may count its revisions anew. Null asks nothing.
 * An answer of another path is not shown.
 */
export function useAnswer(path, version = null) {
  const [found, setFound] = useState({ path: null, answer: null, error: null });
  const [attempt, setAttempt] = useState(0);
  const last = useRef({ path: null, at: 0 });
  const live = connection.value === "live";
  useEffect(() => {
    if (path === null || (!live && last.current.path === path)) return undefined;
    let wanted = true;
    const ask = () => {
      last.current = { path, at: Date.now() };
      get(path).then(
        (answer) => wanted && setFound({ path, answer, error: null }),
        (error) => wanted && setFound((former) => ({ path, answer: former.path === path && error.status !== 404 ? former.answer : null, error })),
      );
    };
    const wait = last.current.path === path ? Math.max(0, last.current.at + PAUSE - Date.now()) : 0;
    const timer = setTimeout(ask, wait);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [path, version, attempt, live]);
  const ours = found.path === path ? found : { answer: null, error: null };
  const again = useCallback(() => setAttempt((count) => count + 1), []);
  return { answer: ours.answer, error: ours.error, loading: !ours.answer && !ours.error, again };
}
