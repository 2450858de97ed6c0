// A run's life to scale: when it was due, how long it waited, each attempt, and its end.

import { LEFT, RIGHT, scale, timeTicks, xAxis } from "./axes.js";
import { chart, round } from "./chart.js";
import { h, hosted } from "./dom.js";
import { outcomeOf } from "./outcomes.js";
import { dateTime, duration, millis, now } from "./times.js";

const ROW = 26;
const TOP = 6;
const LEAST = 1000;

/** When a run was to start: of a slot, after the job's jitter. */
export function dueOf(run) {
  return millis(run.due_at ?? run.scheduled_for ?? run.created_at);
}

/** Whether the job's jitter made the run start later than its slot. */
export function hasJitter(run) {
  return Boolean(run.due_at) && run.due_at !== run.scheduled_for;
}

/** From when to when a run's charts go. */
export function spanOf(run) {
  const from = dueOf(run);
  const end = millis(run.finished_at) ?? now();
  const start = Math.min(from, millis(run.created_at));
  return { from: start, to: Math.max(end, start + LEAST) };
}

export function timeline(run) {
  const events = eventsOf(run);
  return hosted(chart, {
    label: "Timeline of the run",
    drawing: (width) => drawing(run, events, width),
    table: {
      columns: ["What", "When", "After"],
      rows: events.map(({ at, text, after }) => [text, dateTime(at, { seconds: true }), after]),
    },
  });
}

/** What happened, in order: `{at, text, after, row}`. */
export function eventsOf(run) {
  const events = [];
  const add = (time, text, row) => {
    if (time) events.push({ at: millis(time), text, row });
  };
  add(run.due_at ?? run.scheduled_for, "Due", 0);
  add(run.created_at, "Created", 0);
  run.attempts.forEach((attempt, index) => {
    const name = run.max_attempts > 1 ? `Attempt ${attempt.attempt}` : "Task";
    add(attempt.started_at, `${name} started`, index + 1);
    add(attempt.finished_at, `${name} ended${exitText(attempt)}`, index + 1);
  });
  add(run.retry_at, "Next attempt", run.attempts.length);
  if (run.finished_at) add(run.finished_at, "Finished", run.attempts.length);
  events.sort((one, other) => one.at - other.at);
  const first = events[0].at;
  for (const event of events) event.after = event.at === first ? "" : `+${duration(event.at - first)}`;
  return events;
}

function exitText({ exit_code: code, error }) {
  if (code !== null && code !== undefined) return `, exit code ${code}`;
  return error ? `, ${error.code}` : "";
}

function drawing(run, events, width) {
  const { from, to } = spanOf(run);
  const x = scale(from, to, LEFT, width - RIGHT);
  const rows = rowsOf(run, to);
  const bottom = TOP + rows.length * ROW;
  return {
    height: bottom + 26,
    nodes: [
      xAxis(timeTicks(from, to, width / 90), x, TOP, bottom),
      rows.map(({ label, bars }, index) => h("g", { key: `row-${index}` },
        h("text", { class: "row-label", x: LEFT - 8, y: TOP + index * ROW + 17, "text-anchor": "end" }, label),
        bars.map((each) => bar(each, x, TOP + index * ROW + 4)))),
    ],
    points: events.map(({ at, text, after }) => ({
      x: Math.max(LEFT, Math.min(width - RIGHT, x(at))),
      text: [text, dateTime(at, { seconds: true }), after].filter(Boolean),
    })),
  };
}

function rowsOf(run, end) {
  const started = millis(run.started_at);
  const due = dueOf(run);
  const waitEnd = started ?? millis(run.attempts[0]?.finished_at) ?? end;
  const rows = [{ label: "Waited", bars: [{ from: due, to: waitEnd, look: "waiting" }] }];
  run.attempts.forEach((attempt, index) => {
    const isLast = index === run.attempts.length - 1;
    const begin = millis(attempt.started_at);
    const finish = millis(attempt.finished_at) ?? end;
    const look = attempt.error ? "failed" : isLast ? outcomeOf(run) : "succeeded";
    if (begin === null) return;
    const label = run.max_attempts > 1 ? `Attempt ${attempt.attempt}` : "Task";
    rows.push({ label, bars: [{ from: begin, to: finish, look }] });
  });
  return rows;
}

function bar({ from, to, look }, x, y) {
  const left = x(from);
  return h("g", { class: `mark is-${look}` }, h("rect", {
    class: "bar",
    x: round(left),
    y,
    width: round(Math.max(2, x(to) - left)),
    height: ROW - 8,
    rx: 2,
  }));
}
