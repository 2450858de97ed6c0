// What a job is: why it fails just now, when it fires next, and every field of its definition.

import { h } from "./dom.js";
import { errorLabel, isInFlight, isSlotOnly, outcomeOf } from "./outcomes.js";
import { link } from "./routes.js";
import { join } from "./shell_words.js";
import { dateTime, duration, millis, ticking, timeOf, viewerZone } from "./times.js";
import { bytes, usd } from "./words.js";

const MIB = 1024 * 1024;

/** For a job that fails: since when, how often, why the last time, and when it last went well. */
export function failingPanel(route, status, runs, isComplete) {
  const times = status.consecutive_failures;
  if (!times) return null;
  const ended = runs.filter((run) => !isSlotOnly(run) && !isInFlight(run));
  const failed = ended.filter((run) => outcomeOf(run) === "failed").slice(0, times);
  const last = failed[0];
  const isAllKnown = failed.length === times || isComplete;
  const since = failed.length ? millis(failed.at(-1).scheduled_for ?? failed.at(-1).created_at) : null;
  return h("section", { class: "why-panel card is-bad", "aria-label": "Failing" },
    h("p", { class: "why-head" },
      h("strong", null, times === 1 ? "The last run failed" : `The last ${times} runs failed`),
      since !== null && h("span", null, isAllKnown ? "since " : "since before ",
        timeOf(since, { weekday: true }), " (", ticking("ago", since), ")")),
    last?.error && h("p", null, h("strong", null, errorLabel(last.error.code)),
      last.exit_code !== null && `, exit code ${last.exit_code}`,
      last.error.message && [": ", h("span", { class: "why-message" }, last.error.message)]),
    last?.error?.hint && h("p", null, last.error.hint),
    h("p", null,
      last && h("a", { href: link(route, "run", { job: last.job_id, run: last.id }) }, "Open the last failed run"),
      " · ", status.last_succeeded_at
        ? ["Last success ", timeOf(millis(status.last_succeeded_at), { weekday: true })]
        : "It has never succeeded"));
}

/** The schedule in words, its zone, and the next fire. */
export function scheduleLine(job, meaning) {
  if (!job.schedule) return h("p", { class: "schedule-line" }, "On demand");
  const next = millis(job.next_run_at);
  return h("p", { class: "schedule-line" },
    job.schedule_text ?? meaning?.text ?? h("code", null, job.schedule),
    " ", h("span", { class: "faint" }, `(${job.timezone})`),
    job.paused ? h("strong", null, " · paused") : next !== null && [" · next ", ticking("until", next)]);
}

/** What the runs that ended this month cost; nothing where the price is not known. */
export function costLine(status) {
  const cost = status.cost_this_month ?? null;
  return cost !== null && h("p", { class: "cost-line" }, `About ${usd(cost)} this month, estimated`);
}

/** The next fires, in the job's zone and in the viewer's. */
export function nextFires(job, slots) {
  if (!job.schedule) return null;
  if (job.paused) return h("p", { class: "nothing" }, "Paused: the schedule does not fire.");
  const isSameZone = job.timezone === viewerZone;
  const table = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Next fires" }, h("table", { class: "fires" },
    h("thead", null, h("tr", null,
      h("th", { scope: "col" }, job.timezone),
      !isSameZone && h("th", { scope: "col" }, `Yours (${viewerZone})`),
      h("th", { scope: "col" }, "From now"))),
    h("tbody", null, slots.map((slot) => {
      const at = millis(slot);
      return h("tr", { key: slot },
        h("td", null, dateTime(at, { weekday: true, zone: job.timezone })),
        !isSameZone && h("td", null, timeOf(at, { weekday: true })),
        h("td", null, ticking("until", at)));
    }))));
  return [table, job.jitter_seconds > 0 && h("p", { class: "help" },
    "The job starts later than these by its jitter: the next time ",
    timeOf(millis(job.next_run_at), { weekday: true }), ".")];
}

const SHOWN = {
  image: (value) => h("code", null, value),
  command: (value) => (value ? h("code", null, join(value)) : "The image's own"),
  entrypoint: (value) => (value ? h("code", null, join(value)) : "The image's own"),
  env: pairs,
  secrets: pairs,
  tags: (value) => (value.length
    ? h("span", { class: "tags" }, value.map((tag) => h("span", { class: "tag", key: tag }, tag))) : "None"),
  schedule: (value) => (value ? h("code", null, value) : "On demand"),
  paused: (value) => (value ? "Yes" : "No"),
  cpu: (value) => `${value} vCPU`,
  memory_mib: (value) => bytes(value * MIB),
  starting_deadline_seconds: (value) => duration(value * 1000),
  timeout_seconds: (value) => duration(value * 1000),
  jitter_seconds: (value) => duration(value * 1000),
  created_at: (value) => timeOf(millis(value), { weekday: true }),
  updated_at: (value) => timeOf(millis(value), { weekday: true }),
  next_run_at: (value) => timeOf(millis(value), { weekday: true }),
  id: (value) => h("code", null, value),
  task_role_arn: (value) => (value ? h("code", null, value) : "None: no AWS permission"),
};
const LABELS = {
  id: "Id", cpu: "CPU", memory_mib: "Memory", env: "Variables", task_role_arn: "Task role",
  starting_deadline_seconds: "Starting deadline", timeout_seconds: "Time-out of an attempt",
  jitter_seconds: "Jitter", schedule_text: "In words",
};
const LEFT_OUT = new Set(["workspace_id", "project_id", "name", "activity"]);

/** Every field, whichever the API has. */
export function definition(job) {
  return h("dl", { class: "details" },
    Object.entries(job).filter(([name]) => !LEFT_OUT.has(name)).map(([name, value]) =>
      h("div", { key: name }, h("dt", null, LABELS[name] ?? labelOf(name)),
        h("dd", null, shown(name, value)))));
}

/** `max_retries` as "Max retries": for a field that has no label of its own. */
export function labelOf(name) {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function shown(name, value) {
  if (SHOWN[name]) return SHOWN[name](value);
  if (value === null) return "–";
  if (Array.isArray(value)) return value.join(", ") || "None";
  return String(value);
}

function pairs(values) {
  const entries = Object.entries(values);
  if (!entries.length) return "None";
  return entries.map(([name, value]) => h("div", { key: name }, h("code", null, `${name}=${value}`)));
}
