// A year of days: how many runs each had, and what share of them failed.

import { chart, round } from "./chart.js";
import { h, hosted } from "./dom.js";
import { isInFlight, isSlotOnly, outcomeOf } from "./outcomes.js";
import { DAY, date, format, millis, now } from "./times.js";
import { count } from "./words.js";

const WEEKS = 53;
const HALF = 27;
const ROOM_FOR_ALL = 500;
const LEFT = 32;
const TOP = 20;
const LARGEST = 20;

/**
 * `runs` newest first. Days before the oldest of them are unknown unless `isComplete`; days before
 * `since` (milliseconds) are before the job.
 */
export function heatmap(runs, { isComplete, since }) {
  const days = daysOf(runs, isComplete ? since : Math.max(since, oldest(runs)), since);
  const known = days.filter((day) => day.total + day.slots > 0);
  return hosted(chart, {
    label: "Runs of each day",
    // A narrow screen has room for half a year; the table has all of it.
    drawing: (width) => width < ROOM_FOR_ALL ? drawing(days.slice(7 * HALF), width, WEEKS - HALF)
      : drawing(days, width, WEEKS),
    stride: 1,
    table: {
      columns: ["Day", "Succeeded", "Failed", "Cancelled", "Skipped or missed"],
      rows: known.reverse().map((day) =>
        [date(day.at), day.succeeded, day.failed, day.cancelled, day.slots]),
    },
  });
}

function oldest(runs) {
  return runs.length ? millis(runs.at(-1).created_at) : now();
}

/** 53 weeks of days, from a Monday to today, each with its counts. */
function daysOf(runs, knownFrom, since) {
  const today = startOfDay(now());
  const first = new Date(today);
  first.setDate(first.getDate() - ((first.getDay() + 6) % 7) - 7 * (WEEKS - 1));
  const days = [];
  const byDay = new Map();
  for (const at = new Date(first); at <= today; at.setDate(at.getDate() + 1)) {
    const day = { at: at.getTime(), succeeded: 0, failed: 0, cancelled: 0, slots: 0, total: 0 };
    day.isBefore = day.at + DAY <= since;
    day.isUnknown = !day.isBefore && day.at + DAY <= knownFrom;
    byDay.set(day.at, day);
    days.push(day);
  }
  for (const run of runs) {
    const day = byDay.get(startOfDay(millis(run.scheduled_for ?? run.created_at)).getTime());
    if (!day || isInFlight(run)) continue;
    if (isSlotOnly(run)) day.slots += 1;
    else {
      day[outcomeOf(run)] += 1;
      day.total += 1;
    }
  }
  return days;
}

function startOfDay(at) {
  const day = new Date(at);
  day.setHours(0, 0, 0, 0);
  return day;
}

function drawing(days, width, weeks) {
  const step = Math.min(LARGEST, (width - LEFT) / weeks);
  const size = Math.max(2, step - Math.max(1, step / 6));
  const place = (index) => ({ x: LEFT + Math.floor(index / 7) * step, y: TOP + (index % 7) * step });
  return {
    height: TOP + 7 * step + 2,
    nodes: [
      h("g", { class: "axis", key: "days" }, step > 9 && ["Mon", "Wed", "Fri"].map((label, index) =>
        h("text", { x: 0, y: TOP + index * 2 * step + step - 3 }, label))),
      h("g", { class: "axis", key: "months" }, months(days, step)),
      days.map((day, index) => cell(day, place(index), size)),
    ],
    points: days.map((day, index) => {
      const { x, y } = place(index);
      return { x: x + size / 2, y: y + size / 2, text: textOf(day) };
    }),
  };
}

function months(days, step) {
  const labels = [];
  let lastX = -Infinity;
  days.forEach((day, index) => {
    const x = LEFT + Math.floor(index / 7) * step;
    if (new Date(day.at).getDate() !== 1 || x - lastX < 34) return;
    labels.push(h("text", { x, y: 12 }, format(day.at, { month: "short" })));
    lastX = x;
  });
  return labels;
}

function cell(day, { x, y }, size) {
  const look = day.isBefore ? "before" : day.isUnknown ? "unknown"
    : day.total ? "ran" : day.slots ? "slots" : "none";
  const bad = day.total ? day.failed / day.total : 0;
  const height = bad ? Math.max(3, bad * size) : 0;
  const isOnlyCancelled = day.total > 0 && day.cancelled === day.total;
  const frame = { x: round(x), y: round(y), width: round(size), height: round(size) };
  return h("g", { class: `day day-${isOnlyCancelled ? "cancelled" : look}`, key: day.at },
    h("rect", { ...frame, rx: Math.min(2, size / 5) }),
    height > 0 && h("rect", {
      ...frame, class: "bad", y: round(y + size - height), height: round(height),
    }));
}

function textOf(day) {
  const lines = [date(day.at)];
  if (day.isBefore) lines.push("Before the job was created");
  else if (day.isUnknown) lines.push("Not read yet");
  else if (!day.total && !day.slots) lines.push("No runs");
  else {
    lines.push(count(day.total, "run"));
    for (const name of ["succeeded", "failed", "cancelled"]) if (day[name]) lines.push(`${day[name]} ${name}`);
    if (day.slots) lines.push(`${day.slots} skipped or missed`);
  }
  return lines;
}
