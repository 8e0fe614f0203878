// What a route answers, asked again when something changes; meanwhile the former answer stays in view.

import { useCallback, useEffect, useRef, useState } from "../lib.js";
import { get } from "./api.js";

/** At least so many milliseconds between two requests of one component: deltas come once a second. */
const PAUSE = 500;

/**
 * {answer, error, loading, again} of GET `path`, which is asked again when `version` changes; null asks nothing.
 * An answer of another path is not shown.
 */
export function useAnswer(path, version = null) {
  const [found, setFound] = useState({ path: null, answer: null, error: null });
  const [attempt, setAttempt] = useState(0);
  const last = useRef({ path: null, at: 0 });
  useEffect(() => {
    if (path === null) return undefined;
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
  }, [path, version, attempt]);
  const ours = found.path === path ? found : { answer: null, error: null };
  const again = useCallback(() => setAttempt((count) => count + 1), []);
  return { answer: ours.answer, error: ours.error, loading: !ours.answer && !ours.error, again };
}
