// One box of the map: a service with its versions, a gateway, a node without a service, the outside, or a group.

import { computed, html, useMemo } from "../../lib.js";
import { ShareBar, verdict } from "../../components/share.js";
import { amount, count, milliseconds, percent, rate, shortName, tenths } from "../../data/format.js";
import { figuresOfBox } from "./model.js";
import { edgeWidth, edgeMark } from "./strokes.js";

export const WIDTH = 240;
const NARROW_WIDTH = 208;
export const HEAD = 48;
export const ROW = 30;
const PAD = 6;
const SMALL_WIDTH = 92;
const SMALL_HEIGHT = 40;
const GROUP_HEIGHT = 78;
const GUTTER = 20;
const DOWN_INLET = 10;

/** Width, height, and how far from its corner a box is entered, from the left or (`vertical`) from above. */
export function sizeOf(box, vertical = false) {
  if (box.kind === "outside") return { width: SMALL_WIDTH, height: SMALL_HEIGHT };
  const width = vertical ? NARROW_WIDTH : WIDTH;
  if (box.kind === "group") return { width, height: GROUP_HEIGHT };
  return { width, height: HEAD + ROW * box.rows.length + PAD, inlet: vertical ? DOWN_INLET : HEAD / 2 };
}

const PROXY_WORDS = {
  ok: "in sync",
  behind: "not in sync",
  lost: "not connected",
  refused: "refused",
  none: "no proxy",
};
const KINDS = { ok: "good", behind: "warn", lost: "warn", refused: "bad", none: "" };
const MARKS = {
  ok: "M8 3a5 5 0 1 0 0 10 5 5 0 0 0 0-10z",
  behind: "M8 2l6 6-6 6-6-6z",
  lost: "M8 2l6 6-6 6-6-6z",
  refused: "M8 1l7.500 13h-15z",
  none: "M8 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
};

/** How proxies do, by colour and shape: dot, square on its corner, triangle, hollow dot. */
export const ProxyMark = ({ word, title }) =>
  html`<svg class=${`mesh-mark ${word} ${KINDS[word]}`} viewBox="0 0 16 16" role="img" aria-label=${title}><title>${title}</title><path d=${MARKS[word]} /></svg>`;

/** `3 proxies in sync`, or `2 of 3 proxies in sync` and what is wrong with the others. */
export function proxyText({ all, inSync, refused, lost }) {
  if (all === 0) return "no proxy";
  const wrong = [refused > 0 && `${count(refused)} refused`, lost > 0 && `${count(lost)} not connected`].filter(Boolean);
  return [`${inSync < all ? `${count(inSync)} of ` : ""}${amount(all, "proxy", "proxies")} in sync`, ...wrong].join(", ");
}

/** The name by which people know a row: its version, else its node, of which its box says the beginning already. */
export function rowName({ version, node }, { name }) {
  const start = `${shortName(name)}-`;
  return version ?? (node.startsWith(start) ? node.slice(start.length) : node);
}

function Row({ row, box, single }) {
  const { share, proxy, proxies } = row;
  const title = proxyText(proxies);
  return html`<span class=${`mesh-row ${proxy}`}>
    <${ProxyMark} word=${proxy} title=${title} />
    <span class="mesh-version" title=${row.node}>${rowName(row, box)}</span>
    ${single
      ? html`<span class="mesh-word">${proxy === "ok" && proxies.all > 1 ? `${proxies.all} in sync` : PROXY_WORDS[proxy]}</span>`
      : html`<${ShareBar} ...${share} /><span class=${`mesh-seen ${verdict(share)}`}>${tenths(share.seen)}</span>`}
  </span>`;
}

/** From where requests come in to the versions, each line as wide as what it carries. */
function Split({ rows, vertical }) {
  const [x0, y0] = vertical ? [DOWN_INLET, 0] : [0, HEAD / 2];
  return html`<svg class="mesh-split" width=${GUTTER} height=${HEAD + ROW * rows.length} aria-hidden="true">
    ${rows.map((row, at) => {
      const y = HEAD + ROW * at + ROW / 2;
      const d = `M${x0} ${y0}C${x0 + GUTTER * 0.6} ${y0} 2 ${y} ${GUTTER - 4} ${y}`;
      return html`<path key=${row.node} class=${`mesh-flow ${edgeMark(row)}`} d=${d} stroke-width=${edgeWidth(row.rate) * 0.8} />`;
    })}
  </svg>`;
}

const SPEAKS_OF = { service: "service", gateway: "gateway", node: "virtual node", group: "namespace" };

/** Whether what is wrong is that requests fail or a proxy refused its configuration. */
export const isLoud = (figures) => figures.rows.some(({ proxy }) => proxy === "refused") || edgeMark(figures) === "failing";

function Facts({ box, figures, showSpace }) {
  if (figures.wrong.length > 0) {
    const loud = isLoud(figures);
    const failed = edgeMark(figures) === "failing" ? `${percent(figures.errors / figures.rate)} fail` : null;
    const text = figures.wrong[0] === "requests fail" ? failed : figures.wrong[0];
    return html`<span class=${`mesh-facts ${loud ? "bad" : "warn"}`} title=${figures.wrong.join("; ")}>${loud ? "▲" : "◆"} ${text}<span class="only-read">${figures.wrong.slice(1).map((more) => `, ${more}`)}</span></span>`;
  }
  const parts = [showSpace && box.space, box.kind === "gateway" && "gateway", figures.rate > 0 ? `p99 ${milliseconds(figures.p99)}` : "no traffic"];
  return html`<span class="mesh-facts">${parts.filter(Boolean).join(" · ")}</span>`;
}

function GroupFacts({ figures }) {
  return html`<span class="mesh-facts">${amount(figures.services, "service")}${figures.p99 !== null && ` · p99 ${milliseconds(figures.p99)}`}</span>
    <span class="mesh-row">
      ${figures.refused > 0
        ? html`<span class="badge bad">${amount(figures.refused, "version")} refused</span>`
        : figures.wrongServices > 0
          ? html`<span class="badge warn">${amount(figures.wrongServices, "service needs", "services need")} attention</span>`
          : html`<span class="badge good">all well</span>`}
    </span>`;
}

const NOTHING = { rate: 0, errors: 0, p99: null, rows: [], wrong: [], services: 0, wrongServices: 0, refused: 0 };

function stateOf(box, figures) {
  if (figures.refused > 0 || figures.rows.some(({ proxy }) => proxy === "refused")) return "refused";
  if (edgeMark(figures) === "failing") return "failing";
  if (figures.wrong.length > 0) return "wrong";
  return box.kind !== "outside" && figures.rate === 0 ? "idle" : "";
}

/** A button, but the outside, about which there is no more to say. `chosen`: signal of the ID whose panel is open; `current`: signal of the ID that the Tab key reaches. */
export function Box({ box, at, vertical, chosen, current, showSpace, open }) {
  const isChosen = useMemo(() => computed(() => chosen.value === box.id), [box.id]);
  const isCurrent = useMemo(() => computed(() => current.value === box.id), [box.id]);
  const figures = figuresOfBox(box.id).value ?? NOTHING;
  const { width, height } = sizeOf(box, vertical);
  const style = { left: `${at.x}px`, top: `${at.y}px`, width: `${width}px`, height: `${height}px` };
  const several = figures.rows.length > 1;
  const name = box.kind === "service" ? shortName(box.name) : box.name;
  const acts = box.kind !== "outside" && {
    type: "button",
    tabindex: isCurrent.value ? 0 : -1,
    "aria-expanded": isChosen.value,
    onClick: () => open(box),
    onFocus: () => (current.value = box.id),
  };
  return html`<${acts ? "button" : "div"} class=${`mesh-box ${box.kind} ${several ? "several" : ""} ${stateOf(box, figures)}`} style=${style} data-box=${box.id} ...${acts}>
    <span class="mesh-head" title=${box.name}>
      <span class="mesh-name-text" aria-hidden="true">${name}</span>
      <span class="only-read">${[name, SPEAKS_OF[box.kind]].filter(Boolean).join(", ")}</span>
      ${acts && figures.rate > 0 && html`<span class="mesh-rate">${rate(figures.rate)}</span>`}
    </span>
    ${box.kind === "group" && html`<${GroupFacts} figures=${figures} />`}
    ${acts && box.kind !== "group" && html`<${Facts} box=${box} figures=${figures} showSpace=${showSpace} />`}
    ${several && html`<${Split} rows=${figures.rows} vertical=${vertical} />`}
    ${figures.rows.map((row) => html`<${Row} key=${row.node} row=${row} box=${box} single=${!several} />`)}
  </${acts ? "button" : "div"}>`;
}
