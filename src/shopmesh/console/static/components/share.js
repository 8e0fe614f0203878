// The target share beside the seen one with its 95 % interval: one bar that says by colour and by shape whether the
// mesh obeys. The target is a line through the bar, the interval a band, the seen share a mark: a dot, or a triangle
// where chance does not explain how far it is from its target; nothing while nothing is known.

import { html } from "../lib.js";
import { interval, percent, tenths } from "../data/format.js";

const known = (value) => value !== null && value !== undefined;

/** In one look of so many, chance may make a share differ from its target. An interval of 95 % errs in one of twenty. */
const LOOKS = 10_000;
const FAR = Math.log(2 * LOOKS);
const divergence = (seen, target) => (seen > 0 ? seen * Math.log(seen / target) : 0);

/**
 * "agrees", "differs" or "unknown": whether a share of `total` requests is too far from its target for chance. By
 * Chernoff's bound the logarithm of its probability is at most that number times the divergence of both, below zero.
 */
export function verdict({ target, seen, total }) {
  if (!known(seen) || !known(target) || !total) return "unknown";
  return total * (divergence(seen, target) + divergence(1 - seen, 1 - target)) > FAR ? "differs" : "agrees";
}

const WORDS = { agrees: "agrees with the target", differs: "differs from the target", unknown: "too few requests to tell" };

/** The same as a sentence, for titles and screen readers. */
export function sentence(share) {
  const found = verdict(share);
  if (found === "unknown") return `target ${percent(share.target)}, ${WORDS.unknown}`;
  return `target ${percent(share.target)}, seen ${percent(share.seen)} (95 % interval ${interval(share.low, share.high)}): ${WORDS[found]}`;
}

const WIDTH = 120;
const HEIGHT = 16;
const MIDDLE = HEIGHT / 2;
const MARK = 4;
const x = (share) => MARK + share * (WIDTH - 2 * MARK);

function Mark({ at, found }) {
  if (found === "agrees") return html`<circle class="share-mark" cx=${x(at)} cy=${MIDDLE} r=${MARK} />`;
  const d = `M${x(at)} ${MIDDLE - MARK - 1}l${MARK + 1} ${2 * MARK + 1}h${-2 * MARK - 2}z`;
  return html`<path class="share-mark" d=${d} />`;
}

/** The bar alone; shares are 0 to 1, null where unknown. */
export function ShareBar(share) {
  const { target, seen, low, high } = share;
  const found = verdict(share);
  return html`<svg class=${`share ${found}`} viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${sentence(share)}>
    <rect class="share-track" x=${MARK} y=${MIDDLE - 1.5} width=${WIDTH - 2 * MARK} height="3" rx="1.5" />
    ${found !== "unknown" &&
    html`<rect class="share-interval" x=${x(low)} y=${MIDDLE - 4} width=${Math.max(1, x(high) - x(low))} height="8" rx="2" />`}
    ${known(target) && html`<rect class="share-target" x=${x(target) - 1} y="0" width="2" height=${HEIGHT} />`}
    ${found !== "unknown" && html`<${Mark} at=${seen} found=${found} />`}
  </svg>`;
}

/** Bar and figures: `50 %`, the bar, `49.7 %`, and the interval on hover. */
export const Share = (share) =>
  html`<span class="share-row" title=${sentence(share)}>
    <span class="share-figure target">${percent(share.target)}</span><${ShareBar} ...${share} />
    <span class=${`share-figure ${verdict(share)}`}>${tenths(share.seen)}</span>
  </span>`;
