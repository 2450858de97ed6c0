// The bars of a day: a row for each job, with its runs, its skipped and missed slots, and what is
// to come.

import { RIGHT, scale, timeTicks, xAxis } from "./axes.js";
import { chart, round } from "./chart.js";
import { draw, h, hosted } from "./dom.js";
import { lengthOf } from "./durations.js";
import { OUTCOMES, errorLabel, isSlotOnly, outcomeOf } from "./outcomes.js";
import { link } from "./routes.js";
import { dueOf } from "./timeline.js";
import { dateTime, duration, millis, now } from "./times.js";

const HEIGHT = 26;
const AXIS = 24;
const LEAST = 3;
/** Drawn last, so that nothing covers them. */
const ON_TOP = ["skipped", "missed", "running", "failed"];

/** Rows by job name: `[{id, name, runs, slots}]`, of those jobs that have anything between the times. */
export function rowsOf(runs, slots, { from, to }) {
  const rows = new Map();
  const row = (id, name) => {
    if (!rows.has(id)) rows.set(id, { id, name, runs: [], slots: [] });
    return rows.get(id);
  };
  for (const run of runs) {
    const { begin, end } = spanOf(run);
    if (end >= from && begin <= to) row(run.job_id, run.job_name ?? run.job_id).runs.push(run);
  }
  for (const slot of slots) {
    const at = startOf(slot);
    if (at >= now() && at <= to && at >= from) row(slot.job_id, slot.job_name).slots.push(at);
  }
  return [...rows.values()].sort((one, other) =>
    one.name.localeCompare(other.name, undefined, { numeric: true }));
}

/** When a slot to come starts. */
export function startOf(slot) {
  return millis(slot.due_at ?? slot.scheduled_for);
}

function spanOf(run) {
  const begin = run.started_at ? millis(run.started_at) : dueOf(run);
  return { begin, end: run.started_at || run.status === "pending" ? millis(run.finished_at) ?? now() : begin };
}

export function dayRows(route, rows, window) {
  return h("div", { class: "day" },
    axisRow(window, "top"),
    rows.map((row) => h("div", { class: "day-row", key: row.id },
      h("a", { class: "day-name", href: link(route, "job", { job: row.id }) }, h("bdi", null, row.name)),
      hosted(chart, {
        label: `${row.name}: ${inWords(row)}`,
        drawing: (width) => drawing(route, row, window, width),
      }, { class: "day-bars" }))),
    rows.length > 15 && axisRow(window, "bottom"));
}

function axisRow({ from, to }, key) {
  return h("div", { class: "day-row day-axis", key }, h("span"),
    hosted(axis, { from, to }, { class: "day-bars", "aria-hidden": "true" }));
}

/** A widget with nothing but the times; no stop for the keyboard. */
function axis(element) {
  let window = null;
  const observer = new ResizeObserver(redraw);
  observer.observe(element);
  function redraw() {
    const width = element.clientWidth;
    if (!width || !window) return;
    const x = scale(window.from, window.to, 0, width - RIGHT);
    draw(element, h("svg", { class: "chart", width, height: AXIS },
      xAxis(timeTicks(window.from, window.to, width / 80), x, AXIS - 2, 0)));
  }
  return {
    update(args) {
      window = args;
      redraw();
    },
    close: () => observer.disconnect(),
  };
}

function drawing(route, row, { from, to }, width) {
  const x = scale(from, to, 0, width - RIGHT);
  const inside = (at) => Math.max(0, Math.min(width - RIGHT, x(at)));
  const bars = row.runs.map((run) => {
    const { begin, end } = spanOf(run);
    return { run, outcome: outcomeOf(run), left: inside(begin), right: inside(end), begin };
  }).sort((one, other) => one.begin - other.begin);
  const layered = bars.slice().sort((one, other) =>
    ON_TOP.indexOf(one.outcome) - ON_TOP.indexOf(other.outcome));
  const present = now();
  return {
    height: HEIGHT,
    nodes: [
      h("g", { key: "grid" }, timeTicks(from, to, width / 80).map(({ at }) =>
        h("path", { class: "grid is-fine", d: `M${round(x(at)) + 0.5} 0V${HEIGHT}` }))),
      h("g", { key: "runs" }, layered.map(oneBar)),
      h("g", { key: "slots", class: "mark is-upcoming" }, row.slots.map((at) =>
        h("rect", { class: "bar", key: at, x: round(x(at)), y: 6.5, width: 5, height: HEIGHT - 13 }))),
      present > from && present < to && h("path", {
        key: "now", class: "now", d: `M${round(x(present))} 0V${HEIGHT}`,
      }),
    ],
    points: [
      ...bars.map((bar) => ({
        x: (bar.left + Math.max(bar.right, bar.left + LEAST)) / 2,
        text: textOf(bar),
        href: link(route, "run", { job: bar.run.job_id, run: bar.run.id }),
      })),
      ...row.slots.map((at) => ({ x: x(at) + 2.5, text: ["To come", dateTime(at, { weekday: true })] })),
    ],
  };
}

function oneBar({ run, outcome, left, right }) {
  const isSlot = isSlotOnly(run);
  return h("g", { class: `mark is-${outcome}`, key: run.id },
    h("rect", {
      class: "bar",
      x: round(left),
      y: isSlot ? 6.5 : 4,
      width: round(isSlot ? 5 : Math.max(LEAST, right - left)),
      height: isSlot ? HEIGHT - 13 : HEIGHT - 10,
    }),
    outcome === "failed" && h("rect", {
      class: "sign", x: round(left), y: HEIGHT - 4, width: round(Math.max(LEAST, right - left)), height: 3,
    }));
}

function textOf({ run, outcome, begin }) {
  const { label, sign } = OUTCOMES[outcome];
  const length = lengthOf(run);
  return [
    `${sign} ${label}${length === null ? "" : `, ${duration(length)}`}`,
    dateTime(begin, { weekday: true, seconds: true }),
    run.error && errorLabel(run.error.code),
  ].filter(Boolean);
}

function inWords({ runs, slots }) {
  const failed = runs.filter((run) => outcomeOf(run) === "failed").length;
  return `${runs.length} runs, ${failed} failed, ${slots.length} to come`;
}
