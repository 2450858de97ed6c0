// One run: what became of it and why, its timeline, its output, its CPU and memory.

import { confirm } from "./dialogs.js";
import { h, hosted } from "./dom.js";
import { badge, isInFlight, isSlotOnly, outcomeOf } from "./outcomes.js";
import { output } from "./output.js";
import { link } from "./routes.js";
import { openRunDialog } from "./run_dialog.js";
import { detailsOf, factsRow, whyPanel } from "./run_facts.js";
import { join } from "./shell_words.js";
import { dateTime, millis, ticking } from "./times.js";
import { spanOf, timeline } from "./timeline.js";
import { usage } from "./usage.js";

const PACE = 3_000;
/** CloudWatch has a point a minute, and each look at it is paid for. */
const USAGE_PACE = 30_000;

export function openRun(page) {
  const { job: jobId, run: runId } = page.route;
  const state = { run: null, name: null, job: null, usage: null, usageAt: 0 };
  page.title("Run");

  const polling = page.poll(async () => {
    state.run = await page.project.run(jobId, runId);
    state.name = state.run.job_name ?? state.name ?? (await readJob()).name;
    page.title(`${outcomeOf(state.run)} · ${state.name}`);
    redraw();
    if (isUsageDue()) await readUsage();
    redraw();
  }, () => (isSettled(state.run) ? null : PACE));

  async function readJob() {
    state.job ??= (await page.project.job(jobId)).data;
    return state.job;
  }

  function isUsageDue() {
    if (!state.run.started_at) return false;
    const pause = isInFlight(state.run) ? USAGE_PACE : 0;
    return Date.now() - state.usageAt >= pause;
  }

  async function readUsage() {
    state.usageAt = Date.now();
    state.usage = await page.project.get(`/jobs/${jobId}/runs/${runId}/metrics`);
  }

  function cancel() {
    confirm({
      title: "Cancel this run?",
      text: "Its container is stopped. The run stays in the history as cancelled.",
      action: "Cancel the run",
      act: async () => {
        const { message } = await page.project.cancel(jobId, runId);
        page.say(message);
        polling.again();
      },
    });
  }

  async function again() {
    const job = await page.attempt(readJob);
    if (!job) return;
    const { command } = state.run;
    const isOther = command && JSON.stringify(command) !== JSON.stringify(job.command);
    openRunDialog(page, job, undefined, isOther ? join(command) : "");
  }

  const readLogs = (query, signal) => {
    const reader = page.project.with(signal);
    return reader.get(`/jobs/${jobId}/runs/${runId}/logs`, query);
  };

  function redraw() {
    const { run } = state;
    if (!run) return;
    page.draw(
      heading(page.route, state, { cancel, again }),
      whyPanel(run),
      h("div", { class: "run-grid" },
        h("section", { class: "card at-timeline" },
          factsRow(run), h("h2", null, "Timeline"), timeline(run)),
        h("section", { class: "card at-output", "aria-labelledby": "output-title" },
          h("h2", { id: "output-title" }, "Output"),
          isSlotOnly(run)
            ? h("p", { class: "nothing" }, "This slot never started a container.")
            : hosted(output, {
              key: runId,
              read: readLogs,
              isOver: () => !isInFlight(state.run),
              fileName: `${runId}.log`,
              failed: page.failed,
            })),
        run.started_at && h("section", { class: "card at-usage" },
          h("h2", null, "CPU and memory"),
          usage(state.usage, { cpu: run.cpu, memory: run.memory_mib, ...spanOf(run) })),
        h("section", { class: "card at-details" }, h("h2", null, "Details"), detailsOf(run))));
  }
}

/** Whether the run will not change any more; a cancelled one gets its end when its task stops. */
function isSettled(run) {
  return !isInFlight(run) && run.finished_at !== null;
}

function heading(route, { run, name }, { cancel, again }) {
  const due = millis(run.scheduled_for ?? run.created_at);
  return [
    h("p", { class: "crumbs" }, h("a", { href: link(route, "job", { job: run.job_id }) },
      h("bdi", null, name))),
    h("div", { class: "heading" },
      h("h1", null, "Run of ", dateTime(due, { weekday: true })),
      badge(outcomeOf(run)),
      h("span", { class: "faint" }, ticking("ago", due)),
      h("span", { class: "space" }),
      isInFlight(run) && h("button", { class: "danger", on: { click: cancel } }, "Cancel"),
      h("button", { on: { click: again } }, "Run again")),
  ];
}
