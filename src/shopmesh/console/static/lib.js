// The one place that knows the vendored libraries. Their unchanged files are classic scripts of index.html, because
// as modules they would ask for each other by names that only an import map, inline and thus refused, could resolve.

const { preact, preactHooks, preactSignals, htm } = globalThis;

export const { h, render, Component } = preact;
export const { useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useId } = preactHooks;
export const { signal, computed, effect, batch, untracked } = preactSignals;
export const html = htm.bind(h);
