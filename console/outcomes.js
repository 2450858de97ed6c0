// What became of a run, and how a job is doing: one name, one sign and one colour for each.

import { h } from "./dom.js";

/**
 * The outcomes, in the order in which charts draw and legends list them. Each has a sign, so that
 * the colour is never the only difference.
 */
export const OUTCOMES = {
  succeeded: { label: "Succeeded", sign: "✓" },
  failed: { label: "Failed", sign: "✕" },
  cancelled: { label: "Cancelled", sign: "■" },
  skipped: { label: "Skipped", sign: "↷" },
  missed: { label: "Missed", sign: "?" },
  pending: { label: "Pending", sign: "…" },
  running: { label: "Running", sign: "▶" },
  retrying: { label: "Waits for its retry", sign: "↻" },
};

const BY_ERROR = {
  skipped_overlap: "skipped",
  skipped_queue_full: "skipped",
  skipped_quota: "skipped",
  missed_deadline: "missed",
};

/** The outcome of a run, or of an entry of `recent_runs`. */
export function outcomeOf(run) {
  const code = run.error_code ?? run.error?.code;
  if (run.status === "cancelled") return BY_ERROR[code] ?? "cancelled";
  if (run.status === "running" && run.retry_at) return "retrying";
  return run.status;
}

export function isInFlight(run) {
  return run.status === "pending" || run.status === "running";
}

/** Whether it was to run at all: a skipped or missed slot never was a task. */
export function isSlotOnly(run) {
  return outcomeOf(run) === "skipped" || outcomeOf(run) === "missed";
}

export function badge(outcome, text) {
  const { label, sign } = OUTCOMES[outcome] ?? JOB_STATES[outcome];
  return h("span", { class: `badge is-${outcome}` },
    h("span", { class: "sign", "aria-hidden": "true" }, sign), text ?? label);
}

/** How a job is doing, the worst first: the order of the list. */
export const JOB_STATES = {
  failing: { label: "Failing", sign: "✕" },
  busy: { label: "Running", sign: "▶" },
  fine: { label: "OK", sign: "✓" },
  paused: { label: "Paused", sign: "‖" },
  idle: { label: "Never ran", sign: "○" },
};

/** `activity` as `include=activity` answers it, or the like made from a job's status. */
export function jobState(job, activity) {
  if (activity.consecutive_failures > 0) return "failing";
  if (inFlight(activity) > 0) return "busy";
  if (job.paused && job.schedule) return "paused";
  return activity.run_counts.total > 0 ? "fine" : "idle";
}

export function inFlight(activity) {
  return activity.run_counts.pending + activity.run_counts.running;
}

const ERROR_LABELS = {
  nonzero_exit: "exited with an error",
  out_of_memory: "out of memory",
  timed_out: "timed out",
  image_pull_failed: "image could not be pulled",
  start_failed: "could not start",
  capacity_unavailable: "no capacity",
  infrastructure: "AWS ended it",
  lost: "lost",
  cancelled_by_user: "cancelled by a user",
  replaced: "replaced by a newer run",
  skipped_overlap: "an earlier run was in flight",
  skipped_queue_full: "too many runs were waiting",
  skipped_quota: "the workspace's quota was used up",
  missed_deadline: "noticed too late",
  job_deleted: "its job was deleted",
  spot_interrupted: "Spot capacity was taken back",
};

/** An error's code in words; a code that is new to the console is shown as it is. */
export function errorLabel(code) {
  return ERROR_LABELS[code] ?? code.replaceAll("_", " ");
}
