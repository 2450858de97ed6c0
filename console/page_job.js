// One job: is it well, when does it fire, how long do its runs take, and what became of them.

import { confirm } from "./dialogs.js";
import { h } from "./dom.js";
import { durations, legend } from "./durations.js";
import { heatmap } from "./heatmap.js";
import { definition, failingPanel, nextFires, scheduleLine } from "./job_facts.js";
import { JobRuns } from "./job_runs.js";
import { jobOutput, jobUsage } from "./job_parts.js";
import { runsPart } from "./job_runs_part.js";
import { badge, inFlight, jobState, outcomeOf } from "./outcomes.js";
import { BUSY, IDLE } from "./poll.js";
import { choose, link } from "./routes.js";
import { openRunDialog } from "./run_dialog.js";
import { millis, now } from "./times.js";

const PLOTTED = 200;
const FIRES = 10;
const TABS = { runs: "Runs", output: "Output", usage: "CPU and memory", definition: "Definition" };

export function openJob(page) {
  const id = page.route.job;
  const { project, route } = page;
  const state = {
    job: null, status: null, meaning: null,
    tab: TABS[route.options.tab] ? route.options.tab : "runs",
    runs: new JobRuns((query) => project.runs(id, query)),
  };
  page.title("Job");

  const polling = page.poll(async () => {
    const [{ data: job }, status] = await Promise.all([
      project.job(id), project.get(`/jobs/${id}/status`), state.runs.refresh(),
    ]);
    Object.assign(state, { job, status });
    page.title(job.name);
    redraw();
    if (await readMeaning()) redraw();
  }, () => (inFlight(state.status) ? BUSY : IDLE));

  /** What the schedule means, and its next fires; read anew once the first of them has passed. */
  async function readMeaning() {
    const { schedule: expression, timezone } = state.job;
    if (!expression) return (state.meaning = null);
    const { meaning } = state;
    const isCurrent = meaning?.expression === expression && meaning.zone === timezone;
    if (isCurrent && millis(meaning.slots[0]) > now()) return false;
    const answer = await project.get("/schedule", { expression, timezone, count: FIRES });
    state.meaning = { ...answer, expression, zone: timezone };
    return true;
  }

  const parts = {
    runs: runsPart(page, state, redraw),
    output: jobOutput(page, state, redraw),
    usage: jobUsage(page, state, redraw),
    definition: () => definition(state.job),
  };

  const acts = {
    run: () => openRunDialog(page, state.job),
    async toggle() {
      const { job } = state;
      const changed = await page.attempt(() => project.update(id, { paused: !job.paused }));
      if (!changed) return;
      page.say(changed.paused ? "The schedule is paused; manual runs still work."
        : "The schedule is active again. Slots of the past do not start.");
      polling.again();
    },
    remove() {
      confirm({
        title: "Delete this job?",
        text: "This cannot be undone. It stops what is in flight, and removes the job, all of its " +
          "runs and their output.",
        action: "Delete the job",
        typed: state.job.name,
        act: async () => {
          const { message } = await project.change("DELETE", `/jobs/${id}`);
          page.say(message);
          location.hash = link(route, "jobs");
        },
      });
    },
    show(tab) {
      state.tab = tab;
      choose(tab === "runs" ? {} : { tab });
      redraw();
    },
  };

  function redraw() {
    if (state.job) page.draw(view(route, state, acts, parts));
  }
}

function view(route, state, acts, parts) {
  const { job, status, meaning, runs, tab } = state;
  const plotted = runs.runs.slice(0, PLOTTED);
  return [
    heading(route, job, status, acts),
    scheduleLine(job, meaning),
    failingPanel(route, status, runs.runs, runs.isComplete),
    plotted.length > 0 && h("div", { class: "job-grid" },
      h("section", { class: "card at-durations" },
        h("h2", null, `Durations of the last ${plotted.length} runs`),
        legend(new Set(plotted.map(outcomeOf))),
        durations(route, plotted, job.timeout_seconds * 1000)),
      h("section", { class: "card at-year" },
        h("h2", null, "The last year"),
        heatmap(runs.runs, { isComplete: runs.isComplete, since: millis(job.created_at) }),
        counts(status.run_counts)),
      job.schedule && h("section", { class: "card at-fires" },
        h("h2", null, "Next fires"), nextFires(job, meaning?.slots ?? []))),
    h("div", { class: "tabs", role: "group", "aria-label": "Parts of the job" },
      Object.entries(TABS).map(([name, label]) => h("button", {
        key: name,
        "aria-pressed": String(tab === name),
        on: { click: () => acts.show(name) },
      }, label))),
    h("section", { class: "card", key: tab, "aria-label": TABS[tab] }, parts[tab]()),
  ];
}

function heading(route, job, status, acts) {
  return [
    h("p", { class: "crumbs" }, h("a", { href: link(route, "jobs") }, "Jobs")),
    h("div", { class: "heading" },
      h("h1", null, h("bdi", null, job.name)),
      badge(jobState(job, status)),
      h("span", { class: "tags" }, job.tags.map((tag) => h("span", { class: "tag", key: tag }, tag))),
      h("span", { class: "space" }),
      h("button", { class: "primary", on: { click: acts.run } }, "Run now"),
      job.schedule && h("button", { on: { click: acts.toggle } }, job.paused ? "Resume" : "Pause"),
      h("a", { class: "button", href: link(route, "edit", { job: job.id }) }, "Edit"),
      h("a", { class: "button", href: link(route, "new", { from: job.id }) }, "Duplicate"),
      h("button", { class: "danger", on: { click: acts.remove } }, "Delete")),
  ];
}

function counts({ total: _, skipped, ...others }) {
  const shown = Object.entries(others).filter(([, number]) => number);
  return h("p", { class: "help" }, "In its whole life: ",
    shown.map(([name, number]) => `${number.toLocaleString("en")} ${name}`).join(", ") || "no runs",
    skipped > 0 && `, and ${skipped.toLocaleString("en")} skipped or missed slots`, ".");
}
