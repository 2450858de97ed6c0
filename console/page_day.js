// The project's day: every run between two times by job, and what is to come.

import { dayRows, rowsOf, startOf } from "./day_rows.js";
import { h } from "./dom.js";
import { legend, lengthOf } from "./durations.js";
import { OUTCOMES, errorLabel, isInFlight, outcomeOf } from "./outcomes.js";
import { pauseFor } from "./poll.js";
import { choose } from "./routes.js";
import { RunsWindow } from "./runs_window.js";
import { DAY, HOUR, MINUTE, date, dateTime, duration, millis, now } from "./times.js";

const SPANS = { 6: "6 hours", 24: "A day", 72: "3 days", 168: "A week" };
/** The API looks no further ahead. */
const FARTHEST = 7 * DAY;
const MOST_SLOTS = 1_000;
const IN_TABLE = 500;

export function openDay(page) {
  const { options } = page.route;
  const state = {
    hours: SPANS[options.hours] ? Number(options.hours) : 24,
    from: Date.parse(options.from ?? "") || midnight(now()),
    runs: null, slots: [], areSlotsComplete: true, slotsAt: 0,
  };
  page.title(`Day · ${page.route.project}`);
  begin();
  const polling = page.poll(look, () =>
    pauseFor(state.runs.runs.some(isInFlight), state.slots.map(startOf)));

  function begin() {
    state.runs = new RunsWindow((query) => page.project.get("/runs", query), window());
    Object.assign(state, { slots: [], areSlotsComplete: true, slotsAt: 0 });
    redraw();
  }

  function window() {
    return { from: state.from, to: endOf(state.from, state.hours) };
  }

  async function look() {
    const { runs } = state;
    await Promise.all([runs.refresh(), readSlots()]);
    // The reader may have gone on to another window meanwhile.
    if (runs === state.runs) redraw();
  }

  /** What is to come changes slowly: with the minute, or when somebody edits a job. */
  async function readSlots() {
    const { to } = window();
    if (to <= now() || now() - state.slotsAt < MINUTE) return;
    const until = new Date(Math.min(to, now() + FARTHEST - MINUTE)).toISOString();
    const answer = await page.project.get("/upcoming", { until, limit: MOST_SLOTS });
    Object.assign(state, {
      slots: answer.slots, areSlotsComplete: answer.is_complete, slotsAt: now(),
    });
  }

  function go(from, hours = state.hours) {
    Object.assign(state, { from, hours });
    const isToday = from === midnight(now()) && hours === 24;
    choose(isToday ? {} : { from: new Date(from).toISOString(), hours });
    begin();
    polling.again();
  }

  function redraw() {
    page.draw(view(page.route, state, window(), go));
  }
}

function midnight(at) {
  return new Date(at).setHours(0, 0, 0, 0);
}

/** A day of the calendar may have 23 or 25 hours. */
function endOf(from, hours) {
  if (hours < 24) return from + hours * HOUR;
  const end = new Date(from);
  end.setDate(end.getDate() + hours / 24);
  return end.getTime();
}

function before(from, hours) {
  if (hours < 24) return from - hours * HOUR;
  const start = new Date(from);
  start.setDate(start.getDate() - hours / 24);
  return start.getTime();
}

function view(route, state, window, go) {
  const rows = rowsOf(state.runs.runs, state.slots, window);
  const outcomes = new Set(rows.flatMap((row) => row.runs).map(outcomeOf));
  return [
    h("div", { class: "heading" }, h("h1", null, date(window.from)),
      h("span", { class: "faint" }, state.hours !== 24 &&
        `${dateTime(window.from)} to ${dateTime(window.to)}`)),
    controls(state, window, go),
    h("section", { class: "card" },
      h("div", { class: "day-legend" }, legend(outcomes),
        rows.some((row) => row.slots.length) && h("span", { class: "faint to-come" }, "To come")),
      notes(state).map((text) => h("p", { class: "notice" }, text)),
      rows.length ? dayRows(route, rows, window)
        : h("p", { class: "nothing" }, state.runs.isRead ? "Nothing ran, and nothing is to come."
          : "Reading…"),
      rows.length > 0 && numbers(rows)),
  ];
}

function notes(state) {
  return [
    !state.runs.isComplete && "There are more runs than can be drawn; the oldest are left out. " +
      "Choose a shorter time.",
    !state.areSlotsComplete && "What is to come is drawn up to " +
      `${dateTime(startOf(state.slots.at(-1)))}: these are ${MOST_SLOTS} slots.`,
  ].filter(Boolean);
}

function controls(state, { from, to }, go) {
  return h("div", { class: "filters" },
    h("button", { on: { click: () => go(before(from, state.hours)) } }, "← Earlier"),
    h("button", { on: { click: () => go(midnight(now()), 24) } }, "Today"),
    h("button", { on: { click: () => go(to) } }, "Later →"),
    h("label", { class: "inline" }, h("span", null, "From"), h("input", {
      type: "datetime-local",
      value: local(from),
      on: { change: (event) => go(Date.parse(event.target.value) || from) },
    })),
    h("select", {
      "aria-label": "How long",
      value: String(state.hours),
      on: { change: (event) => go(from, Number(event.target.value)) },
    }, Object.entries(SPANS).map(([hours, label]) => h("option", { key: hours, value: hours }, label))));
}

/** As an input of the type datetime-local wants it: the viewer's time without a zone. */
function local(at) {
  return new Date(at - new Date(at).getTimezoneOffset() * MINUTE).toISOString().slice(0, 16);
}

function numbers(rows) {
  const runs = rows.flatMap((row) => row.runs.map((run) => ({ name: row.name, run })))
    .sort((one, other) => (one.run.id < other.run.id ? 1 : -1));
  return h("details", { class: "numbers" },
    h("summary", null, "As a table"),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs" },
      h("table", null,
        h("thead", null, h("tr", null, ["Job", "When", "Outcome", "Duration", "Error"].map((text) =>
          h("th", { scope: "col" }, text)))),
        h("tbody", null, runs.slice(0, IN_TABLE).map(({ name, run }) => h("tr", { key: run.id },
          h("td", null, h("bdi", null, name)),
          h("td", null, dateTime(millis(run.scheduled_for ?? run.created_at))),
          h("td", null, OUTCOMES[outcomeOf(run)].label),
          h("td", null, duration(lengthOf(run))),
          h("td", null, run.error ? errorLabel(run.error.code) : "–")))))));
}
