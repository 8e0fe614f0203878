// How lines say what they carry: width for the rate, colour and dashes for errors and slowness. Pure.

import { trafficWord } from "./figures.js";
import { swing } from "./layout.js";

const LEAST = 1.5;
const MOST = 9;
const BY_TENFOLD = 1.7;

/**
 * Pixels for requests per second: each tenfold adds as much, so that widths can be compared at any load.
 * In steps that nobody sees, since a line of another width is laid out again.
 */
export function edgeWidth(rate) {
  if (!(rate > 0)) return 1;
  return Math.round(Math.min(MOST, LEAST + BY_TENFOLD * Math.log10(1 + rate)) * 4) / 4;
}


/** The class of a line: "failing", "slow", "quiet" or "ok". */
export const edgeMark = trafficWord;

/** One curve. Forwards it goes half the way in its direction before it turns; backwards it swings out and comes back. */
function turn(x1, y1, x2, y2, vertical) {
  const [ahead, aside] = vertical ? [y2 - y1, x2 - x1] : [x2 - x1, y2 - y1];
  const [out, back] = ahead > 0 ? [ahead / 2, -ahead / 2] : [swing(aside), swing(aside)];
  if (vertical) return `C${x1} ${y1 + out} ${x2} ${y2 + back} ${x2} ${y2}`;
  return `C${x1 + out} ${y1} ${x2 + back} ${y2} ${x2} ${y2}`;
}

/** A path through points [x, y, x, y, …]: curves between layers, straight through lanes. `vertical`: layers are rows. */
export function curve(points, vertical = false) {
  let d = `M${points[0]} ${points[1]}`;
  for (let at = 2; at < points.length; at += 2) {
    const [x1, y1, x2, y2] = points.slice(at - 2, at + 2);
    d += at % 4 === 0 ? `L${x2} ${y2}` : turn(x1, y1, x2, y2, vertical);
  }
  return d;
}

/** The middle of the last curve, where the line's label stands. */
export function middleOf(points, vertical = false) {
  const [x1, y1, x2, y2] = points.slice(-4);
  if (!vertical && x2 <= x1) return [Math.max(x1, x2) + swing(y2 - y1) * 0.72, (y1 + y2) / 2];
  if (vertical && y2 <= y1) return [(x1 + x2) / 2, Math.max(y1, y2) + swing(x2 - x1) * 0.72];
  return [(x1 + x2) / 2, (y1 + y2) / 2];
}
