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
  page.title("Run");
  new RunPage(page).open();
}

class RunPage {
  constructor(page) {
    this.page = page;
    this.path = `/jobs/${page.route.job}/runs/${page.route.run}`;
    this.run = null;
    this.name = null;
    this.usage = null;
    this.usageAt = 0;
  }

  open() {
    this.polling = this.page.poll(() => this.look(), () => (isSettled(this.run) ? null : PACE));
  }

  async look() {
    this.run = await this.page.project.get(this.path);
    this.name ??= this.run.job_name ?? (await this.readJob()).name;
    this.page.title(`${outcomeOf(this.run)} · ${this.name}`);
    this.redraw();
    await this.readUsage();
  }

  async readJob() {
    this.job ??= (await this.page.project.job(this.page.route.job)).data;
    return this.job;
  }

  async readUsage() {
    const pause = isInFlight(this.run) ? USAGE_PACE : 0;
    if (!this.run.started_at || Date.now() - this.usageAt < pause) return;
    this.usageAt = Date.now();
    this.usage = await this.page.project.get(`${this.path}/metrics`);
    this.redraw();
  }

  cancel() {
    confirm({
      title: "Cancel this run?",
      text: "Its container is stopped. The run stays in the history as cancelled.",
      action: "Cancel the run",
      act: async () => {
        const { message } = await this.page.project.change("POST", `${this.path}/cancel`);
        this.page.say(message);
        this.polling.again();
      },
    });
  }

  async again() {
    const job = await this.page.attempt(() => this.readJob());
    if (!job) return;
    const { command } = this.run;
    const isOther = command && JSON.stringify(command) !== JSON.stringify(job.command);
    openRunDialog(this.page, job, isOther ? join(command) : "");
  }

  redraw() {
    const { run } = this;
    this.page.draw(
      this.heading(),
      whyPanel(run),
      h("div", { class: "run-grid" },
        h("section", { class: "card at-timeline" },
          factsRow(run), h("h2", null, "Timeline"), timeline(run)),
        h("section", { class: "card at-output" }, h("h2", null, "Output"), this.output()),
        run.started_at && h("section", { class: "card at-usage" },
          h("h2", null, "CPU and memory"),
          usage(this.usage, { cpu: run.cpu, memory: run.memory_mib, ...spanOf(run) })),
        h("section", { class: "card at-details" }, h("h2", null, "Details"), detailsOf(run))));
  }

  heading() {
    const { run, name, page } = this;
    const due = millis(run.scheduled_for ?? run.created_at);
    return [
      h("p", { class: "crumbs" }, h("a", { href: link(page.route, "job", { job: run.job_id }) },
        h("bdi", null, name))),
      h("div", { class: "heading" },
        h("h1", null, "Run of ", dateTime(due, { weekday: true })),
        badge(outcomeOf(run)),
        h("span", { class: "faint" }, ticking("ago", due)),
        h("span", { class: "space" }),
        isInFlight(run) && h("button", { class: "danger", on: { click: () => this.cancel() } }, "Cancel"),
        h("button", { on: { click: () => this.again() } }, "Run again")),
    ];
  }

  output() {
    if (isSlotOnly(this.run)) {
      return h("p", { class: "nothing" }, "This slot never started a container.");
    }
    return hosted(output, {
      key: this.run.id,
      read: (query, signal) => this.page.project.with(signal).get(`${this.path}/logs`, query),
      isOver: () => !isInFlight(this.run),
      fileName: `${this.run.id}.log`,
      failed: this.page.failed,
    });
  }
}

/** Whether the run will not change any more; a cancelled one gets its end when its task stops. */
function isSettled(run) {
  return !isInFlight(run) && run.finished_at !== null;
}
