// What is known of a run, apart from its output: why it failed, its numbers, its parts.

import { awsLinks } from "./aws_links.js";
import { h } from "./dom.js";
import { badge, errorLabel, outcomeOf } from "./outcomes.js";
import { join } from "./shell_words.js";
import { dueOf, hasJitter } from "./timeline.js";
import { duration, millis, ticking, timeOf, utc } from "./times.js";
import { bytes, usd } from "./words.js";

const MIB = 1024 * 1024;

/** Exit code, error, AWS's reason and the hint: what a reader came for. */
export function whyPanel(run) {
  const outcome = outcomeOf(run);
  // While a run waits for its next attempt, the last one says why.
  const { error, exit_code: exitCode } = run.retry_at ? run.attempts.at(-1) : run;
  if (!error) return null;
  const { code, message, hint } = error;
  const isBad = outcome === "failed" || outcome === "retrying";
  return h("section", { class: `why-panel card ${isBad ? "is-bad" : "is-plain"}`, "aria-label": "Why" },
    h("p", { class: "why-head" },
      h("strong", null, capital(errorLabel(code))),
      exitCode !== null && h("span", { class: "exit" }, `exit code ${exitCode}`),
      h("code", null, code)),
    message && h("p", { class: "why-message" }, message),
    hint && h("p", { class: "why-hint" }, hint));
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The numbers in a row. */
export function factsRow(run) {
  const started = millis(run.started_at);
  const due = dueOf(run);
  const facts = [
    ["State", badge(outcomeOf(run))],
    run.retry_at && ["Next attempt", ticking("until", millis(run.retry_at))],
    // While it waits for its next attempt, nothing runs.
    [run.retry_at ? "Since its start" : "Ran for", started === null ? "–" : run.finished_at
      ? duration(millis(run.finished_at) - started) : ticking("lasting", started)],
    ["Waited", started === null ? "–" : duration(started - due)],
    ["Exit code", run.exit_code ?? "–"],
    run.max_attempts > 1 && ["Attempt", `${run.attempt} of ${run.max_attempts}`],
    ["Started by", startedBy(run)],
    run.cost && [run.finished_at ? "Cost, estimated" : "Cost so far", usd(run.cost.usd)],
  ];
  return h("dl", { class: "facts" }, facts.filter(Boolean).map(([label, value]) =>
    h("div", { key: label }, h("dt", null, label), h("dd", null, value))));
}

function startedBy(run) {
  if (run.triggered_by?.kind === "token") return run.triggered_by.name || run.triggered_by.id;
  return run.trigger === "schedule" ? "Schedule" : "By hand";
}

/** Everything else, and where it is in AWS. */
export function detailsOf(run) {
  const both = (time) => time && [timeOf(millis(time), { seconds: true, weekday: true }),
    h("span", { class: "zone" }, utc(millis(time)))];
  const rows = [
    ["Run", h("code", null, run.id)],
    ["Job version", run.job_version],
    [hasJitter(run) ? "Slot" : "Due", both(run.scheduled_for)],
    hasJitter(run) && ["Due, with jitter", both(run.due_at)],
    ["Created", both(run.created_at)],
    ["Started", both(run.started_at)],
    ["Finished", both(run.finished_at)],
    run.waits_for && ["Waits for", run.waits_for.map((id) =>
      h("div", { key: id }, h("code", null, id)))],
    ["Image", h("code", null, run.image)],
    ["Command", run.command ? h("code", null, join(run.command)) : "The image's own"],
    ["CPU and memory", `${run.cpu} vCPU, ${bytes(run.memory_mib * MIB)}`],
    run.capacity && ["Capacity", capacityOf(run)],
    run.cost && ["Billed", `${Math.round(run.cost.vcpu_seconds)} vCPU-seconds, ` +
      `${Math.round(run.cost.gib_seconds)} GiB-seconds, at the prices of ${run.cost.price_date}`],
    ["Asked AWS", both(run.observed_at)],
  ];
  return [
    h("dl", { class: "details" }, rows.filter((row) => row && row[1]).map(([label, value]) =>
      h("div", { key: label }, h("dt", null, label), h("dd", null, value)))),
    attempts(run),
  ];
}

/** What a run ran on, and how often AWS took Spot capacity back. */
function capacityOf(run) {
  const times = run.attempts.reduce((sum, attempt) => sum + attempt.interruptions, 0);
  const interrupted = times === 1 ? "interrupted once" : times && `interrupted ${times} times`;
  return [run.capacity.replaceAll("_", " "), interrupted].filter(Boolean).join(", ");
}

function attempts(run) {
  if (!run.attempts.length) return null;
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Attempts" },
    h("table", null,
      h("thead", null, h("tr", null, ["Attempt", "Started", "Ran for", "Exit code", "Error", "In the AWS console"]
        .map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", null, run.attempts.map((attempt) => h("tr", { key: attempt.attempt },
        h("td", null, attempt.attempt),
        h("td", null, timeOf(millis(attempt.started_at), { seconds: true })),
        h("td", null, attempt.started_at && attempt.finished_at
          ? duration(millis(attempt.finished_at) - millis(attempt.started_at)) : "–"),
        h("td", null, attempt.exit_code ?? "–"),
        h("td", null, attempt.error ? errorLabel(attempt.error.code) : "–"),
        h("td", null, links(attempt, run)))))));
}

function links(attempt, run) {
  // The local stack's AWS has no console.
  if (["127.0.0.1", "localhost", "[::1]"].includes(location.hostname)) {
    return h("span", { class: "faint" }, "local");
  }
  return h("span", { class: "links" }, awsLinks(attempt.task_arn, run.job_id).map(({ label, href }) =>
    h("a", { key: label, href, target: "_blank", rel: "noopener noreferrer" }, label)));
}
