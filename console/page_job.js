// One job: is it well, when does it fire, how long do its runs take, and what became of them.

import { confirm } from "./dialogs.js";
import { h } from "./dom.js";
import { durations, legend, titleOf } from "./durations.js";
import { heatmap } from "./heatmap.js";
import { costLine, definition, failingPanel, nextFires, scheduleLine } from "./job_facts.js";
import { jobOutput, jobUsage } from "./job_parts.js";
import { JobRuns } from "./job_runs.js";
import { RunsPart } from "./job_runs_part.js";
import { badge, inFlight, jobState, outcomeOf } from "./outcomes.js";
import { pauseFor } from "./poll.js";
import { choose, link } from "./routes.js";
import { openRunDialog } from "./run_dialog.js";
import { millis, now } from "./times.js";

const PLOTTED = 200;
const FIRES = 10;
const TABS = { runs: "Runs", output: "Output", usage: "CPU and memory", definition: "Definition" };

export function openJob(page) {
  page.title("Job");
  new JobPage(page).open();
}

class JobPage {
  constructor(page) {
    this.page = page;
    this.id = page.route.job;
    this.job = null;
    this.status = null;
    this.meaning = null;
    this.tab = TABS[page.route.options.tab] ? page.route.options.tab : "runs";
    this.runs = new JobRuns((query) => page.project.runs(this.id, query));
    const redraw = () => this.redraw();
    const list = new RunsPart(page, this.runs, redraw);
    this.parts = {
      runs: () => list.view(),
      output: jobOutput(page, this, redraw),
      usage: jobUsage(page, this, redraw),
      definition: () => definition(this.job),
    };
  }

  open() {
    this.polling = this.page.poll(() => this.look(), () =>
      pauseFor(inFlight(this.status) > 0, [millis(this.job.next_run_at)].filter(Boolean)));
  }

  async look() {
    const { project } = this.page;
    const [{ data }, status] = await Promise.all([
      project.job(this.id), project.get(`/jobs/${this.id}/status`), this.runs.refresh(),
    ]);
    Object.assign(this, { job: data, status });
    this.page.title(data.name);
    this.redraw();
    await this.readMeaning();
  }

  /** What the schedule means, and its next fires; read anew once the first of them has passed. */
  async readMeaning() {
    const { schedule: expression, timezone } = this.job;
    const { meaning } = this;
    const isCurrent = meaning?.expression === expression && meaning.zone === timezone;
    if (!expression || (isCurrent && millis(meaning.slots[0]) > now())) return;
    const answer = await this.page.project.get("/schedule", { expression, timezone, count: FIRES });
    this.meaning = { ...answer, expression, zone: timezone };
    this.redraw();
  }

  run() {
    openRunDialog(this.page, this.job);
  }

  async toggle() {
    const body = { paused: !this.job.paused };
    const changed = await this.page.attempt(() => this.page.project.update(this.id, body));
    if (!changed) return;
    this.page.say(changed.paused ? "The schedule is paused; manual runs still work."
      : "The schedule is active again. Slots of the past do not start.");
    this.polling.again();
  }

  remove() {
    confirm({
      title: "Delete this job?",
      text: "This cannot be undone. It stops what is in flight, and removes the job, all of its " +
        "runs and their output.",
      action: "Delete the job",
      typed: this.job.name,
      act: async () => {
        const { message } = await this.page.project.change("DELETE", `/jobs/${this.id}`);
        this.page.say(message);
        location.hash = link(this.page.route, "jobs");
      },
    });
  }

  show(tab) {
    this.tab = tab;
    choose(tab === "runs" ? {} : { tab });
    this.redraw();
  }

  redraw() {
    if (this.job) this.page.draw(this.view());
  }

  view() {
    const { job, status, runs, tab, page } = this;
    return [
      this.heading(),
      scheduleLine(job, this.meaning),
      costLine(status),
      failingPanel(page.route, status, runs.runs, runs.isComplete),
      (runs.runs.length > 0 || job.schedule) && this.overview(),
      h("div", { class: "tabs", role: "group", "aria-label": "Parts of the job" },
        Object.entries(TABS).map(([name, label]) => h("button", {
          key: name,
          "aria-pressed": String(tab === name),
          on: { click: () => this.show(name) },
        }, label))),
      h("div", { class: "card", key: tab }, this.parts[tab]()),
    ];
  }

  heading() {
    const { job, status, page } = this;
    return [
      h("p", { class: "crumbs" }, h("a", { href: link(page.route, "jobs") }, "Jobs")),
      h("div", { class: "heading" },
        h("h1", null, h("bdi", null, job.name)),
        badge(jobState(job, status)),
        h("span", { class: "tags" }, job.tags.map((tag) => h("span", { class: "tag", key: tag }, tag))),
        h("span", { class: "space" }),
        h("button", { class: "primary", on: { click: () => this.run() } }, "Run now"),
        job.schedule &&
          h("button", { on: { click: () => this.toggle() } }, job.paused ? "Resume" : "Pause"),
        h("a", { class: "button", href: link(page.route, "edit", { job: job.id }) }, "Edit"),
        h("a", { class: "button", href: link(page.route, "new", { from: job.id }) }, "Duplicate"),
        h("button", { class: "danger", on: { click: () => this.remove() } }, "Delete")),
    ];
  }

  overview() {
    const { job, status, runs, page } = this;
    const plotted = runs.runs.slice(0, PLOTTED);
    return h("div", { class: "job-grid" },
      h("section", { class: "card at-durations" },
        plotted.length > 0 && h("h2", null, titleOf(plotted.length)),
        legend(new Set(plotted.map(outcomeOf))),
        plotted.length ? durations(page.route, plotted, job.timeout_seconds * 1000)
          : h("p", { class: "nothing" }, "It has not run yet.")),
      h("section", { class: "card at-year" },
        h("h2", null, "Runs of each day"),
        heatmap(runs.runs, { isComplete: runs.isComplete, since: millis(job.created_at) }),
        counts(status.run_counts)),
      job.schedule && h("section", { class: "card at-fires" },
        h("h2", null, "Next fires"), nextFires(job, this.meaning?.slots ?? [])));
  }
}

function counts({ skipped, ...others }) {
  const shown = Object.entries(others).filter(([name, number]) => number && name !== "total");
  return h("p", { class: "help" }, "In its whole life: ",
    shown.map(([name, number]) => `${number.toLocaleString("en")} ${name}`).join(", ") || "no runs",
    skipped > 0 && `, and ${skipped.toLocaleString("en")} skipped or missed slots`, ".");
}
