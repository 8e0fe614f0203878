// Where the boxes stand. Layers follow from the longest path from the ways in; within a layer, boxes are ordered by
// their neighbours and moved towards them. Each step passes over the edges a fixed number of times, so that the time
// grows with their number and no faster. Pure, and used in a worker.
//
//   layout({boxes: [{id, width, height, inlet, first}], edges: [{id, from, to}], order: {id: place}, vertical, near})
//     → {boxes: {id: {x, y, layer}}, edges: {id: [x, y, x, y, …]}, width, height}
//
// `inlet` is how far below its top a box is entered (half its height unless given); `first` marks what belongs into
// the first layer; `near`: layers follow from the shortest path instead, because groups call each other in circles;
// `vertical`: layers are rows, for narrow windows, and `inlet` counts from the left. `order` holds the places of the last layout, so that what stays
// keeps its place among its neighbours when something comes or goes.

export const COLUMN_GAP = 96;
const ROW_GAP = 18;
const LANE = 10;
const SWEEPS = 6;
const LONGEST_LANE = 12;

/** Edges as indices; those that close a circle are marked `back`. Depth first, without recursion. */
function indexed(boxes, edges) {
  const index = new Map(boxes.map(({ id }, at) => [id, at]));
  const lines = edges
    .map(({ id, from, to }) => ({ id, from: index.get(from), to: index.get(to), back: false }))
    .filter(({ from, to }) => from !== undefined && to !== undefined && from !== to);
  const leaving = boxes.map(() => []);
  const arriving = new Int32Array(boxes.length);
  for (const line of lines) {
    leaving[line.from].push(line);
    arriving[line.to] += 1;
  }
  return { lines, leaving, arriving };
}

function startOrder(boxes, arriving) {
  const rank = (at) => (boxes[at].first ? 0 : arriving[at] === 0 ? 1 : 2);
  return boxes.map((_, at) => at).sort((one, other) => rank(one) - rank(other) || one - other);
}

/** Indices so that each line that is not `back` leads onwards. */
function topological(boxes, { leaving, arriving }) {
  const NEW = 0;
  const OPEN = 1;
  const DONE = 2;
  const state = new Uint8Array(boxes.length);
  const finished = [];
  for (const start of startOrder(boxes, arriving)) {
    if (state[start] !== NEW) continue;
    const stack = [[start, 0]];
    state[start] = OPEN;
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const line = leaving[top[0]][top[1]++];
      if (!line) {
        state[top[0]] = DONE;
        finished.push(top[0]);
        stack.pop();
      } else if (state[line.to] === OPEN) {
        line.back = true;
      } else if (state[line.to] === NEW) {
        state[line.to] = OPEN;
        stack.push([line.to, 0]);
      }
    }
  }
  return finished.reverse();
}

/** The layer of each box by the shortest path from where the layout begins. */
function nearLayers(boxes, { leaving, arriving }) {
  const layer = new Int32Array(boxes.length).fill(-1);
  for (const start of startOrder(boxes, arriving)) {
    if (layer[start] >= 0) continue;
    layer[start] = 0;
    const queue = [start];
    for (const at of queue) {
      for (const { to } of leaving[at]) {
        if (layer[to] >= 0) continue;
        layer[to] = layer[at] + 1;
        queue.push(to);
      }
    }
  }
  return layer;
}

/** The layer of each box: one more than the last of those that lead to it. */
export function layers(boxes, edges, near = false) {
  const found = indexed(boxes, edges);
  if (near) return { layer: nearLayers(boxes, found), lines: found.lines };
  const layer = new Int32Array(boxes.length);
  for (const at of topological(boxes, found)) {
    for (const line of found.leaving[at]) if (!line.back) layer[line.to] = Math.max(layer[line.to], layer[at] + 1);
  }
  return { layer, lines: found.lines };
}

/** Boxes and, where a line passes a layer, a lane through it: [{layer, height, links: [places]}] and each line's places. */
function places(boxes, layer, lines) {
  const all = boxes.map((box, at) => ({ at, layer: layer[at], height: box.height, before: [], after: [], y: 0, order: 0 }));
  const ways = lines.map((line) => {
    const [from, to] = [all[line.from], all[line.to]];
    const way = [from];
    const span = to.layer - from.layer;
    if (span > 1 && span <= LONGEST_LANE) {
      for (let passed = from.layer + 1; passed < to.layer; passed++) {
        const lane = { at: -1, layer: passed, height: LANE, before: [], after: [], y: 0, order: 0 };
        all.push(lane);
        way.push(lane);
      }
    }
    way.push(to);
    if (span > 0) {
      for (let step = 1; step < way.length; step++) {
        way[step - 1].after.push(way[step]);
        way[step].before.push(way[step - 1]);
      }
    }
    return way;
  });
  return { all, ways };
}

const mean = (links, value) => links.reduce((sum, link) => sum + value(link), 0) / links.length;

/** Order each layer by the mean place of its neighbours, forwards and backwards in turn. */
function orderLayers(columns) {
  const number = (column) => column.forEach((place, at) => (place.order = (at + 0.5) / column.length));
  columns.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forwards = sweep % 2 === 0;
    for (const column of forwards ? columns : [...columns].reverse()) {
      for (const place of column) {
        const links = forwards ? place.before : place.after;
        place.wish = links.length > 0 ? mean(links, (link) => link.order) : place.order;
      }
      column.sort((one, other) => one.wish - other.wish || one.order - other.order);
      number(column);
    }
  }
}

const gapBetween = (one, other) => (one.at < 0 && other.at < 0 ? LANE / 2 : ROW_GAP);

/**
 * Move each place of a column to its `wish` as nearly as order and gaps allow: least squares, by pooling neighbours that
 * would overlap (pool adjacent violators, linear).
 */
function settle(column) {
  const blocks = [];
  let offset = 0;
  column.forEach((place, at) => {
    if (at > 0) offset += column[at - 1].height + gapBetween(column[at - 1], place);
    place.offset = offset;
    blocks.push({ sum: place.wish - offset, size: 1 });
    while (blocks.length > 1 && above(blocks.at(-2)) > above(blocks.at(-1))) {
      const { sum, size } = blocks.pop();
      blocks.at(-1).sum += sum;
      blocks.at(-1).size += size;
    }
  });
  let at = 0;
  for (const block of blocks) {
    for (let left = block.size; left > 0; left--, at++) column[at].y = above(block) + column[at].offset;
  }
}

const above = ({ sum, size }) => sum / size;
const middle = (place) => place.y + place.height / 2;

function placeRows(columns) {
  for (const column of columns) {
    let y = 0;
    for (const place of column) {
      place.y = y;
      y += place.height + ROW_GAP;
    }
    column.forEach((place) => (place.y -= y / 2));
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forwards = sweep % 2 === 0;
    for (const column of forwards ? columns : [...columns].reverse()) {
      for (const place of column) {
        const near = forwards ? place.before : place.after;
        const links = near.length > 0 ? near : forwards ? place.after : place.before;
        place.wish = links.length > 0 ? mean(links, middle) - place.height / 2 : place.y;
      }
      settle(column);
    }
  }
}

/** Where lines leave a box: spread over its right side in the order of where they go. */
function outlets(ways) {
  const leaving = new Map();
  for (const way of ways) {
    if (!leaving.has(way[0])) leaving.set(way[0], []);
    leaving.get(way[0]).push(way);
  }
  for (const [place, ours] of leaving) {
    ours.sort((one, other) => middle(one[1]) - middle(other[1]));
    const step = Math.min(12, (place.height - 16) / ours.length);
    const first = place.height / 2 - (step * (ours.length - 1)) / 2;
    place.outlets = new Map(ours.map((way, at) => [way, first + step * at]));
  }
}

/** The same on its side: x and y change places. */
function turned({ boxes, edges, width, height }) {
  const turn = (points) => points.map((_, at) => points[at % 2 === 0 ? at + 1 : at - 1]);
  return {
    boxes: Object.fromEntries(Object.entries(boxes).map(([id, { x, y, layer }]) => [id, { x: y, y: x, layer }])),
    edges: Object.fromEntries(Object.entries(edges).map(([id, points]) => [id, turn(points)])),
    width: height,
    height: width,
  };
}

export function layout(graph) {
  if (!graph.vertical) return horizontal(graph);
  return turned(horizontal({ ...graph, boxes: graph.boxes.map((box) => ({ ...box, width: box.height, height: box.width })) }));
}

function horizontal({ boxes, edges, order = {}, near = false }) {
  if (boxes.length === 0) return { boxes: {}, edges: {}, width: 0, height: 0 };
  const { layer, lines } = layers(boxes, edges, near);
  const { all, ways } = places(boxes, layer, lines);
  const columns = Array.from({ length: Math.max(...layer) + 1 }, () => []);
  for (const place of all) columns[place.layer].push(place);
  const known = (place) => (place.at < 0 ? Infinity : (order[boxes[place.at].id] ?? Infinity));
  columns.forEach((column) => column.sort((one, other) => (known(one) < known(other) ? -1 : known(one) > known(other) ? 1 : 0)));
  orderLayers(columns);
  placeRows(columns);
  outlets(ways);
  return result(boxes, lines, ways, all, columns);
}

/** Left side and width of each column. */
function frame(boxes, columns) {
  let left = 0;
  return columns.map((column) => {
    const width = column.reduce((most, { at }) => (at < 0 ? most : Math.max(most, boxes[at].width)), 0);
    const found = { x: left, width };
    left += width + COLUMN_GAP;
    return found;
  });
}

/** How far a line that leads back, or to its own layer, swings out: the farther it goes, the more. */
export const swing = (distance) => Math.min(220, 36 + 0.3 * Math.abs(distance));

/** Points of a line: out of the right side of its box, through its lanes, into the left side. Back: into the right. */
function points(way, boxes, frames) {
  const [from, to] = [way[0], way.at(-1)];
  const line = [frames[from.layer].x + boxes[from.at].width, from.y + from.outlets.get(way)];
  for (const lane of way.slice(1, -1)) {
    const { x, width } = frames[lane.layer];
    line.push(x, middle(lane), x + width, middle(lane));
  }
  if (to.layer <= from.layer) line.push(frames[to.layer].x + boxes[to.at].width, middle(to));
  else line.push(frames[to.layer].x, to.y + (boxes[to.at].inlet ?? to.height / 2));
  return line;
}

function result(boxes, lines, ways, all, columns) {
  const frames = frame(boxes, columns);
  const top = all.reduce((least, { y }) => Math.min(least, y), Infinity);
  all.forEach((place) => (place.y -= top));
  const found = all.filter(({ at }) => at >= 0);
  const ends = lines.map((line, at) => [line.id, points(ways[at], boxes, frames)]);
  const outermost = ends.map(([, [x1, y1, x2, y2]]) => (x2 <= x1 ? x1 + swing(y2 - y1) * 0.75 : 0));
  return {
    boxes: Object.fromEntries(found.map(({ at, layer, y }) => [boxes[at].id, { x: frames[layer].x, y, layer }])),
    edges: Object.fromEntries(ends),
    width: outermost.reduce((most, x) => Math.max(most, x), frames.at(-1).x + frames.at(-1).width),
    height: all.reduce((most, { y, height }) => Math.max(most, y + height), 0),
  };
}
