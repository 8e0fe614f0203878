// Values as people read them: numbers with units, shares, durations, times. Unknown is null and shows as a dash.

export const UNKNOWN = "–";
const LANGUAGE = "en";
const WHOLE = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 0 });
const TENTHS = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 1 });
const ONE_DECIMAL = new Intl.NumberFormat(LANGUAGE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const THREE_DIGITS = new Intl.NumberFormat(LANGUAGE, { maximumSignificantDigits: 3 });
const SMALL_RATE = 0.05;

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

/** `12,345` */
export const count = (value) => (known(value) ? WHOLE.format(value) : UNKNOWN);

/** Requests per second: `12.0/s`, `1.2 k/s`. */
export function rate(value) {
  if (!known(value)) return UNKNOWN;
  if (value > 0 && value < SMALL_RATE) return "< 0.1/s";
  return value >= 1000 ? `${THREE_DIGITS.format(value / 1000)} k/s` : `${(value > 0 && value < 100 ? ONE_DECIMAL : WHOLE).format(value)}/s`;
}

/** A share of 0 to 1 as `49.7 %`, without decimals where there are none. */
export const percent = (share) => (known(share) ? `${TENTHS.format(share * 100)} %` : UNKNOWN);

/** The same with one decimal always, for figures that stand below each other: `50.0 %`. */
export const tenths = (share) => (known(share) ? `${ONE_DECIMAL.format(share * 100)} %` : UNKNOWN);

/** `48.1 to 51.0 %`, shares of 0 to 1. */
export function interval(low, high) {
  return known(low) && known(high) ? `${ONE_DECIMAL.format(low * 100)} to ${tenths(high)}` : UNKNOWN;
}

/** Milliseconds: `0.8 ms`, `27 ms`, `1.2 s`. */
export function milliseconds(value) {
  if (!known(value)) return UNKNOWN;
  if (value >= 1000) return `${THREE_DIGITS.format(value / 1000)} s`;
  return `${value < 10 ? TENTHS.format(value) : WHOLE.format(value)} ms`;
}

/** Seconds in the two largest units: `3 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`. */
export function duration(seconds) {
  if (!known(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.round(seconds));
  const parts = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}

const two = (value) => String(value).padStart(2, "0");

/** Seconds since 1970 as the local time of day; with the date if it is not today's: `14:05:09`, `2026-11-30 14:05:09`. */
export function time(at, now = Date.now() / 1000) {
  if (!known(at)) return UNKNOWN;
  const [date, today] = [new Date(at * 1000), new Date(now * 1000)];
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (date.toDateString() === today.toDateString()) return clock;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`;
}

/** The same in UTC, for the title: `2026-11-30 13:05:09.120 UTC`. */
export const utc = (at) => (known(at) ? `${new Date(at * 1000).toISOString().replace("T", " ").slice(0, -1)} UTC` : UNKNOWN);

/** A name without the part that all share: `product` of `product.default.svc.cluster.local`. */
export const shortName = (name) => name.split(".")[0];

/** How many of what: `1 proxy`, `3 proxies`. */
export const amount = (number, one, several = `${one}s`) => `${count(number)} ${number === 1 ? one : several}`;

const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A text of others with what cannot be seen, or turns the direction of what can, as an escape: `\u202e`. */
export const printable = (text) =>
  String(text).replace(INVISIBLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
