// Scales, ticks and axes, for every chart.

import { round } from "./chart.js";
import { h } from "./dom.js";
import { DAY, HOUR, MINUTE, clock, format } from "./times.js";

/** The same left and right margin in all charts, so that those with the same times line up. */
export const LEFT = 78;
export const RIGHT = 14;

/** From `[from, to]` to pixels `[low, high]`. */
export function scale(from, to, low, high) {
  const factor = to === from ? 0 : (high - low) / (to - from);
  return (value) => low + (value - from) * factor;
}

/** Round values from 0 to at least `most`, about `count` steps; the last is the top of the axis. */
export function valueTicks(most, count, base = 10) {
  const rough = (most || 1) / count;
  const power = base ** Math.floor(Math.log(rough) / Math.log(base));
  const steps = base === 10 ? [1, 2, 5, 10] : [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
  const step = steps.map((factor) => factor * power).find((each) => each >= rough * 0.999);
  const ticks = [0];
  while (ticks.at(-1) < most * 0.999) ticks.push(ticks.length * step);
  if (ticks.length === 1) ticks.push(step);
  return ticks;
}

const DURATION_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600,
  43200, 86400, 172800].map((seconds) => seconds * 1000);

/** As valueTicks, for a duration in milliseconds: seconds, minutes and hours have other steps. */
export function durationTicks(most, count) {
  const step = DURATION_STEPS.find((each) => each >= most / count) ?? DAY * Math.ceil(most / count / DAY);
  const ticks = [0];
  while (ticks.at(-1) < most) ticks.push(ticks.length * step);
  if (ticks.length === 1) ticks.push(step);
  return ticks;
}

const TIME_STEPS = [1000, 2000, 5000, 10_000, 15_000, 30_000, MINUTE, 2 * MINUTE, 5 * MINUTE,
  10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY,
  7 * DAY, 14 * DAY, 30 * DAY];

/** Round times of the viewer's zone between `from` and `to`, as `[{at, label}]`. */
export function timeTicks(from, to, count) {
  const step = TIME_STEPS.find((each) => each >= (to - from) / count) ?? 90 * DAY;
  const midnight = new Date(from);
  midnight.setHours(0, 0, 0, 0);
  const ticks = [];
  // From midnight on, so that steps fall on round local times; a day may have 23 or 25 hours.
  for (let day = midnight; day.getTime() <= to; day = nextDay(day, step)) {
    const end = nextDay(day, step).getTime();
    for (let at = day.getTime(); at < end && at <= to; at += step) {
      if (at >= from) ticks.push({ at, label: timeLabel(at, step) });
    }
  }
  return ticks;
}

function nextDay(day, step) {
  const next = new Date(day);
  next.setDate(next.getDate() + Math.max(1, Math.round(step / DAY)));
  return next;
}

function timeLabel(at, step) {
  const isMidnight = clock(at, { seconds: true }) === "00:00:00";
  if (step >= DAY || isMidnight) return format(at, { day: "numeric", month: "short" });
  return clock(at, { seconds: step < MINUTE });
}

/** Horizontal lines with their values, from `x1` to `x2`. */
export function yAxis(ticks, y, x1, x2, label) {
  return h("g", { class: "axis", key: "y" }, ticks.map((value) => [
    h("path", { class: "grid", d: `M${x1} ${round(y(value)) + 0.5}H${x2}` }),
    h("text", { x: x1 - 8, y: round(y(value)) + 4, "text-anchor": "end" }, label(value)),
  ]));
}

/** Ticks with labels below `bottom`; `ticks` are `[{at, label}]`. */
export function xAxis(ticks, x, top, bottom) {
  return h("g", { class: "axis", key: "x" }, ticks.map(({ at, label }) => [
    h("path", { class: "grid is-fine", d: `M${round(x(at)) + 0.5} ${top}V${bottom + 4}` }),
    h("text", { x: round(x(at)), y: bottom + 18, "text-anchor": "middle" }, label),
  ]));
}

/** A limit: a dashed line with its name. */
export function limit(y, x1, x2, label) {
  return h("g", { class: "limit", key: `limit-${label}` },
    h("path", { d: `M${x1} ${round(y) + 0.5}H${x2}` }),
    h("text", { x: x2 - 4, y: round(y) - 5, "text-anchor": "end" }, label));
}
