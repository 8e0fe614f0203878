// The lines in which two texts differ, as a unified diff shows them. Pure.

const CONTEXT = 3;
/** Lines of one text times lines of the other that are compared; beyond, the differing middle is shown as replaced. */
const MOST_PAIRS = 4_000_000;

/** Lengths of the longest common subsequences of what follows each pair of lines. */
function common(before, after) {
  const width = after.length + 1;
  const lengths = new Uint16Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const at = i * width + j;
      lengths[at] = before[i] === after[j] ? lengths[at + width + 1] + 1 : Math.max(lengths[at + width], lengths[at + 1]);
    }
  }
  return lengths;
}

function compareMiddle(before, after) {
  const changed = [];
  if (before.length * after.length > MOST_PAIRS) {
    return [...before.map((text) => ({ mark: "-", text })), ...after.map((text) => ({ mark: "+", text }))];
  }
  const lengths = common(before, after);
  const width = after.length + 1;
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      changed.push({ mark: " ", text: before[i++] });
      j++;
    } else if (i < before.length && (j === after.length || lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])) {
      changed.push({ mark: "-", text: before[i++] });
    } else {
      changed.push({ mark: "+", text: after[j++] });
    }
  }
  return changed;
}

/** All lines of both texts: [{mark: " ", "-" or "+", text}]. */
export function compareLines(before, after) {
  const [one, other] = [before.split("\n"), after.split("\n")];
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start++;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one.at(-1 - end) === other.at(-1 - end)) end++;
  const same = (text) => ({ mark: " ", text });
  return [
    ...one.slice(0, start).map(same),
    ...compareMiddle(one.slice(start, one.length - end), other.slice(start, other.length - end)),
    ...one.slice(one.length - end).map(same),
  ];
}

/** The same without lines far from any difference; `mark` "@" stands for lines that are left out. */
export function withContext(lines, context = CONTEXT) {
  const near = new Set();
  lines.forEach(({ mark }, index) => {
    if (mark === " ") return;
    for (let at = index - context; at <= index + context; at++) near.add(at);
  });
  const shown = [];
  lines.forEach((line, index) => {
    if (near.has(index)) shown.push(line);
    else if (shown.at(-1)?.mark !== "@") shown.push({ mark: "@", text: "…" });
  });
  return shown;
}

/** The lines of a unified diff as text. */
export function readUnified(text) {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      if (line.startsWith("+++ ") || line.startsWith("--- ") || line.startsWith("@@")) return { mark: "@", text: line };
      return { mark: "+- ".includes(line[0]) ? line[0] : " ", text: line.slice(1) };
    });
}
