// How long the last runs took: a bar each, in order, with the outcome as colour and shape.

import { LEFT, RIGHT, durationTicks, limit, scale, yAxis } from "./axes.js";
import { chart, round } from "./chart.js";
import { h, hosted } from "./dom.js";
import { OUTCOMES, errorLabel, isSlotOnly, outcomeOf } from "./outcomes.js";
import { link } from "./routes.js";
import { dateTime, duration, format, millis, now } from "./times.js";

const HEIGHT = 220;
const TOP = 16;
const BOTTOM = HEIGHT - 32;
const STUB = 5;
const LABEL_WIDTH = 80;

/** `runs` newest first; `timeout` in milliseconds is drawn where the bars come near it. */
export function durations(route, runs, timeout) {
  const bars = runs.slice().reverse().map((run) => ({
    run,
    outcome: outcomeOf(run),
    at: millis(run.scheduled_for ?? run.created_at),
    length: lengthOf(run),
  }));
  return hosted(chart, {
    label: titleOf(bars.length),
    drawing: (width) => drawing(route, bars, timeout, width),
    table: {
      columns: ["When", "Outcome", "Duration", "Error"],
      rows: bars.slice().reverse().map(({ run, outcome, at, length }) => [
        dateTime(at), OUTCOMES[outcome].label, length === null ? "–" : duration(length),
        run.error ? errorLabel(run.error.code) : "–",
      ]),
    },
  });
}

export function titleOf(count) {
  return count === 1 ? "Duration of the last run" : `Durations of the last ${count} runs`;
}

/** Milliseconds that a run took, or has taken so far; null if it never started. */
export function lengthOf(run) {
  const start = millis(run.started_at);
  return start === null ? null : (millis(run.finished_at) ?? now()) - start;
}

function drawing(route, bars, timeout, width) {
  const longest = Math.max(1000, ...bars.map(({ length }) => length ?? 0));
  const hasLimit = timeout < 1.6 * longest;
  const ticks = durationTicks(hasLimit ? Math.max(longest, timeout) : longest, 4);
  const y = scale(0, ticks.at(-1), BOTTOM, TOP);
  const x = scale(0, Math.max(bars.length, 20), LEFT, width - RIGHT);
  const step = x(1) - x(0);
  const barWidth = Math.min(24, Math.max(1, step * 0.8));
  return {
    height: HEIGHT,
    nodes: [
      yAxis(ticks, y, LEFT, width - RIGHT, duration),
      h("g", { key: "bars" }, bars.map((bar, index) =>
        oneBar(bar, x(index) + (step - barWidth) / 2, y, barWidth))),
      labels(bars, x, step),
      hasLimit && limit(y(timeout), LEFT, width - RIGHT, `time-out ${duration(timeout)}`),
    ],
    points: bars.map((bar, index) => ({
      x: x(index) + step / 2,
      text: textOf(bar),
      href: link(route, "run", { job: bar.run.job_id, run: bar.run.id }),
    })),
  };
}

function oneBar({ run, outcome, length }, x, y, width) {
  const height = Math.max(STUB, BOTTOM - y(length ?? 0));
  return h("g", { class: `mark is-${outcome}`, key: run.id },
    h("rect", {
      class: "bar",
      x: round(x),
      y: round(BOTTOM - (isSlotOnly(run) ? STUB + 3 : height)),
      width: round(width),
      height: round(isSlotOnly(run) ? STUB + 3 : height),
    }),
    outcome === "failed" &&
      h("rect", { class: "sign", x: round(x), y: BOTTOM + 3, width: round(width), height: 4 }));
}

/** The time of some bars, as many as there is room for. */
function labels(bars, x, step) {
  const every = Math.max(1, Math.ceil(LABEL_WIDTH / step));
  const isWithinDays = bars.length > 1 && bars.at(-1).at - bars[0].at < 2 * 86_400_000;
  const text = (at) => isWithinDays ? dateTime(at) : format(at, { day: "numeric", month: "short" });
  const first = Math.min(Math.floor(every / 2), bars.length - 1);
  return h("g", { class: "axis", key: "x" }, bars.map((bar, index) =>
    index % every === first && h("text", {
      key: bar.run.id, x: round(x(index) + step / 2), y: BOTTOM + 24, "text-anchor": "middle",
    }, text(bar.at))));
}

function textOf({ run, outcome, at, length }) {
  const { label, sign } = OUTCOMES[outcome];
  return [
    `${sign} ${label}${length === null ? "" : `, ${duration(length)}`}`,
    dateTime(at, { weekday: true }),
    run.error && errorLabel(run.error.code),
  ].filter(Boolean);
}

/** The outcomes among `runs`, with the shape that each has in the charts. */
export function legend(outcomes) {
  return h("ul", { class: "legend", "aria-label": "Legend" },
    Object.keys(OUTCOMES).filter((outcome) => outcomes.has(outcome)).map((outcome) =>
      h("li", { key: outcome },
        h("svg", { width: 12, height: 16, "aria-hidden": "true" },
          h("g", { class: `mark is-${outcome}` },
            h("rect", { class: "bar", x: 1.5, y: 1.5, width: 9, height: 9 }),
            outcome === "failed" && h("rect", { class: "sign", x: 1.5, y: 12, width: 9, height: 3 }))),
        OUTCOMES[outcome].label)));
}
