// The runs of a job as a list, with the API's own filters.

import { h } from "./dom.js";
import { OUTCOMES } from "./outcomes.js";
import { runsTable } from "./runs_table.js";
import { count } from "./words.js";

const STEP = 25;
const PAGE = 100;
const STATUSES = ["pending", "running", "succeeded", "failed", "cancelled"];
const TRIGGERS = { schedule: "By the schedule", manual: "By hand" };

export class RunsPart {
  /** `newest` is what the page keeps of the job's runs, a JobRuns. */
  constructor(page, newest, redraw) {
    Object.assign(this, { page, newest, redraw });
    this.chosen = { status: "", trigger: "" };
    this.shown = STEP;
    /** The filtered list, as `{runs, next}`, and the newest runs at which it was read. */
    this.filtered = null;
    this.readAt = null;
  }

  get isFiltered() {
    return Boolean(this.chosen.status || this.chosen.trigger);
  }

  /** What is listed, as `{runs, hasMore}`; without runs while they are read. */
  get listed() {
    if (!this.isFiltered) return { runs: this.newest.runs, hasMore: this.newest.older !== null };
    return { runs: this.filtered?.runs, hasMore: Boolean(this.filtered?.next) };
  }

  pick(name, value) {
    this.chosen[name] = value;
    Object.assign(this, { shown: STEP, filtered: null, readAt: null });
    this.redraw();
  }

  async readFiltered(cursor) {
    const { chosen, page } = this;
    const query = { ...chosen, limit: PAGE, cursor };
    const answer = await page.attempt(() => page.project.runs(page.route.job, query));
    if (!answer || query.status !== this.chosen.status || query.trigger !== this.chosen.trigger) return;
    const before = cursor ? this.filtered.runs : [];
    this.filtered = { runs: [...before, ...answer.runs], next: answer.next_cursor };
    this.redraw();
  }

  /** The filtered list is read anew whenever the newest runs have changed. */
  refreshFiltered() {
    const newest = JSON.stringify(this.newest.runs.slice(0, PAGE).map(({ id, status }) => [id, status]));
    if (newest === this.readAt) return;
    this.readAt = newest;
    this.readFiltered();
  }

  async more() {
    this.shown += STEP;
    const { runs, hasMore } = this.listed;
    if (hasMore && this.shown > runs.length) {
      if (this.isFiltered) await this.readFiltered(this.filtered.next);
      else await this.page.attempt(() => this.newest.readOlder());
    }
    this.redraw();
  }

  view() {
    if (this.isFiltered) this.refreshFiltered();
    const { runs, hasMore } = this.listed;
    return [
      h("div", { class: "filters" },
        this.select("Outcome", "status", STATUSES.map((status) => [status, OUTCOMES[status].label])),
        this.select("Started by", "trigger", Object.entries(TRIGGERS)),
        runs && h("span", { class: "faint" }, `${count(runs.length, "run")}${hasMore ? " read" : ""}`)),
      runs?.length ? runsTable(this.page.route, runs.slice(0, this.shown))
        : h("p", { class: "nothing" }, runs ? "No runs." : "Reading…"),
      (runs?.length > this.shown || hasMore) && h("p", { class: "more" },
        h("button", { on: { click: () => this.more() } }, "Show older runs")),
    ];
  }

  select(label, name, entries) {
    return h("select", {
      "aria-label": label,
      value: this.chosen[name],
      on: { change: (event) => this.pick(name, event.target.value) },
    },
    h("option", { value: "" }, `${label}: all`),
    entries.map(([value, text]) => h("option", { key: value, value }, text)));
  }
}
