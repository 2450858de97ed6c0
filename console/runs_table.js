// Runs as a table.

import { h } from "./dom.js";
import { lengthOf } from "./durations.js";
import { badge, errorLabel, outcomeOf } from "./outcomes.js";
import { link } from "./routes.js";
import { duration, millis, ticking, timeOf } from "./times.js";
import { usd } from "./words.js";

export function runsTable(route, runs) {
  const hasCost = runs.some((run) => run.cost);
  const columns = ["Outcome", "When", "Started by", "Duration", "Attempts", "Exit code", "Why",
    hasCost && "Cost"].filter(Boolean);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs" },
    h("table", { class: "runs" },
      h("thead", null, h("tr", null, columns.map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", null, runs.map((run) => row(route, run, hasCost)))));
}

function row(route, run, hasCost) {
  const at = millis(run.scheduled_for ?? run.created_at);
  const address = link(route, "run", { job: run.job_id, run: run.id });
  const started = millis(run.started_at);
  return h("tr", { key: run.id },
    h("td", null, h("a", { href: address }, badge(outcomeOf(run)))),
    h("td", null, timeOf(at, { weekday: true }), h("span", { class: "zone" }, ticking("ago", at))),
    h("td", null, run.triggered_by?.name ?? (run.trigger === "schedule" ? "Schedule" : "By hand")),
    h("td", { class: "number" }, run.status === "running" && started !== null
      ? ticking("lasting", started) : duration(lengthOf(run))),
    h("td", { class: "number" }, `${run.attempt} of ${run.max_attempts}`),
    h("td", { class: "number" }, run.exit_code ?? "–"),
    h("td", null, run.error ? h("span", { title: run.error.message || run.error.hint },
      errorLabel(run.error.code)) : "–"),
    hasCost && h("td", { class: "number" }, run.cost ? usd(run.cost.usd) : "–"));
}
