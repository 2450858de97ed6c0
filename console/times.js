// Times as a person reads them: in the viewer's zone, with UTC on hover, and ages that go on.

import { h } from "./dom.js";

const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

let offset = 0;

/** Now in milliseconds, by the API's clock: a viewer's clock may be wrong. */
export function now() {
  return Date.now() + offset;
}

/** Learn the API's clock from the `Date` of an answer, which has whole seconds. */
export function learnClock(header) {
  const difference = Date.parse(header) + SECOND / 2 - Date.now();
  // Less than that is the answer's way here, not the clock.
  offset = Math.abs(difference) > 3 * SECOND ? difference : 0;
}

export function millis(time) {
  return time === null || time === undefined ? null : Date.parse(time);
}

export const viewerZone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const formats = new Map();

/** `at` (milliseconds) with the parts that `options` of Intl.DateTimeFormat name. */
export function format(at, options, zone) {
  const key = JSON.stringify([options, zone]);
  let made = formats.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat("en-GB", { hourCycle: "h23", ...options, timeZone: zone });
    formats.set(key, made);
  }
  return made.format(at);
}

const CLOCK = { hour: "2-digit", minute: "2-digit" };
const DATE = { day: "numeric", month: "short" };

/** "25 Nov, 03:18", with weekday, seconds or year where `detail` asks for them. */
export function dateTime(at, { seconds = false, weekday = false, zone } = {}) {
  const year = format(at, { year: "numeric" }, zone) !== format(now(), { year: "numeric" }, zone);
  return format(at, {
    ...(weekday ? { weekday: "short" } : {}),
    ...DATE,
    ...(year ? { year: "numeric" } : {}),
    ...CLOCK,
    ...(seconds ? { second: "2-digit" } : {}),
  }, zone);
}

export function date(at, zone) {
  return format(at, { weekday: "short", ...DATE, year: "numeric" }, zone);
}

export function clock(at, { seconds = false, zone } = {}) {
  return format(at, { ...CLOCK, ...(seconds ? { second: "2-digit" } : {}) }, zone);
}

export function utc(at) {
  return new Date(at).toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC");
}

/** "1 h 05 min", "12.4 s": `ms` in at most two units. */
export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "–";
  const seconds = Math.max(0, ms / SECOND);
  if (seconds < 10) return `${seconds.toFixed(1).replace(/\.0$/, "")} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return withRest(minutes, "min", Math.round(seconds) % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return withRest(hours, "h", minutes % 60, "min");
  return withRest(Math.floor(hours / 24), "d", hours % 24, "h");
}

function withRest(whole, unit, rest, smaller) {
  return rest ? `${whole} ${unit} ${rest} ${smaller}` : `${whole} ${unit}`;
}

/** One unit, rounded down: "3 min". For ages and countdowns, which need no more. */
function rough(ms) {
  const seconds = Math.floor(ms / SECOND);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) {
    const minutes = Math.floor((seconds % 3600) / 60);
    return seconds < 10 * 3600 && minutes
      ? `${Math.floor(seconds / 3600)} h ${minutes} min`
      : `${Math.floor(seconds / 3600)} h`;
  }
  return `${Math.floor(seconds / 86400)} d`;
}

const TICKS = {
  ago: (at) => (now() - at < SECOND ? "just now" : `${rough(now() - at)} ago`),
  until: (at) => (at - now() < SECOND ? "now" : `in ${rough(at - now())}`),
  lasting: (at) => duration(Math.floor((now() - at) / SECOND) * SECOND),
};

/** An age ("ago"), a countdown ("until") or a growing duration ("lasting") of `at`. */
export function ticking(kind, at) {
  return h("time", {
    datetime: new Date(at).toISOString(),
    title: `${dateTime(at, { seconds: true, weekday: true })} (${viewerZone})\n${utc(at)}`,
    "data-tick": kind,
  }, TICKS[kind](at));
}

/** A time in the viewer's zone, with UTC on hover. */
export function timeOf(at, options = {}) {
  if (at === null || at === undefined) return "–";
  return h("time", { datetime: new Date(at).toISOString(), title: utc(at) }, dateTime(at, options));
}

/** Keep every ticking time of the page right, once a second while somebody can see it. */
export function startTicking() {
  setInterval(() => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("time[data-tick]")) {
      const text = TICKS[element.dataset.tick](Date.parse(element.dateTime));
      if (element.firstChild && element.firstChild.data !== text) element.firstChild.data = text;
    }
  }, SECOND);
}
