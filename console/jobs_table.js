// The list of jobs as a table; on a narrow screen each row is a card (base.css).

import { h } from "./dom.js";
import { badge, errorLabel, inFlight, outcomeOf } from "./outcomes.js";
import { link } from "./routes.js";
import { strip } from "./strip.js";
import { duration, millis, ticking } from "./times.js";
import { usd } from "./words.js";

/** `acts`: pick(name, value), run(job), toggle(job), and `kept`, which is the table's own. */
export function jobsTable(route, rows, chosen, acts) {
  const hasCost = rows.some((row) => row.cost !== null);
  const column = (label, by) =>
    sortable(label, by, chosen.sort ?? "state", (order) => acts.pick("sort", order));
  // Roles are given because a narrow screen's layout would take them from the elements.
  return h("table", { class: "jobs", role: "table" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
      column("State", "state"),
      column("Job", "name"),
      heading("Schedule"),
      heading("Last 20 runs"),
      column("Last run", "last"),
      column("Next", "next"),
      hasCost && column("This month", "cost"),
      heading(h("span", { class: "sr" }, "Actions")))),
    h("tbody", { role: "rowgroup" },
      rows.map((row) => keptRow(route, row, hasCost, acts))));
}

function heading(content) {
  return h("th", { scope: "col", role: "columnheader" }, content);
}

function sortable(label, by, sort, pick) {
  const isUp = sort === by;
  const isDown = sort === `-${by}`;
  return h("th", {
    scope: "col",
    role: "columnheader",
    "aria-sort": isUp ? "ascending" : isDown ? "descending" : null,
  },
  h("button", { class: "sort", on: { click: () => pick(isUp ? `-${by}` : by) } },
    label, h("span", { class: "arrow", "aria-hidden": "true" }, isUp ? " ↓" : isDown ? " ↑" : "")));
}

/** Rows are many and few change: those that show the same are kept as they are. */
function keptRow(route, row, hasCost, acts) {
  acts.kept ??= new Map();
  const text = `${hasCost} ${row.text}`;
  const kept = acts.kept.get(row.job.id);
  if (kept?.text === text && inFlight(row.activity) === 0) return kept.node;
  const node = jobRow(route, row, hasCost, acts);
  acts.kept.set(row.job.id, { text, node });
  return node;
}

function jobRow(route, row, hasCost, acts) {
  const { job, activity } = row;
  const cell = (name, ...content) => h("td", { class: `at-${name}`, role: "cell" }, ...content);
  return h("tr", { key: job.id, role: "row", class: `job is-${row.state}` },
    cell("state", badge(row.state, stateText(row))),
    cell("name",
      h("a", { class: "name", href: link(route, "job", { job: job.id }) }, h("bdi", null, job.name)),
      job.tags.length > 0 && h("span", { class: "tags" },
        job.tags.map((tag) => h("span", { class: "tag", key: tag }, tag)))),
    cell("schedule", scheduleOf(job)),
    cell("strip", strip(activity.recent_runs)),
    cell("last", lastRun(route, row)),
    cell("next", row.nextAt !== null && !job.paused ? ticking("until", row.nextAt) : "–"),
    hasCost && cell("cost", row.cost === null ? "–" : usd(row.cost)),
    cell("acts",
      h("button", { "aria-label": `Run ${job.name} now`, on: { click: () => acts.run(job) } }, "Run now"),
      job.schedule && h("button", {
        class: "quiet",
        "aria-label": `${job.paused ? "Resume" : "Pause"} ${job.name}`,
        on: { click: () => acts.toggle(job) },
      }, job.paused ? "Resume" : "Pause")));
}

function stateText({ state, activity }) {
  if (state === "failing" && activity.consecutive_failures > 1) {
    return `Failing, ${activity.consecutive_failures} in a row`;
  }
  if (state === "busy" && inFlight(activity) > 1) return `${inFlight(activity)} running`;
  return undefined;
}

function scheduleOf(job) {
  if (!job.schedule) return h("span", { class: "faint" }, "On demand");
  return [
    job.schedule_text
      ? h("span", { title: job.schedule }, job.schedule_text)
      : h("code", null, job.schedule),
    h("span", { class: "zone" }, job.timezone),
    job.paused && h("span", { class: "zone" }, "Paused"),
  ];
}

function lastRun(route, { job, lastRun: run, lastLength, lastAt }) {
  if (!run) return h("span", { class: "faint" }, "Never");
  const outcome = outcomeOf(run);
  const address = link(route, "run", { job: job.id, run: run.id });
  const started = millis(run.started_at);
  return [
    h("a", { href: address }, badge(outcome)),
    h("span", { class: "zone" },
      ticking("ago", lastAt),
      outcome === "running" && started !== null ? [", for ", ticking("lasting", started)]
        : lastLength !== null && `, took ${duration(lastLength)}`),
    outcome === "failed" && run.error_code &&
      h("span", { class: "why" }, errorLabel(run.error_code)),
  ];
}
