// The jobs of a project: which failed, which run, and everything else.

import { h } from "./dom.js";
import { emptyProject } from "./empty_project.js";
import { jobsFilters } from "./jobs_filters.js";
import { arrange, asRow } from "./jobs_order.js";
import { jobsTable } from "./jobs_table.js";
import { inFlight } from "./outcomes.js";
import { pauseFor } from "./poll.js";
import { choose } from "./routes.js";
import { openRunDialog } from "./run_dialog.js";

const PAGE = 100;
/** Rows drawn at first, and more with each step: a browser need not lay out 1,000 of them. */
const STEP = 100;

/** How many rows each list showed, by its address: going back shows as many again. */
const shownBefore = new Map();

export function openJobs(page) {
  page.title(`Jobs · ${page.route.project}`);
  new JobsPage(page).open();
}

class JobsPage {
  constructor(page) {
    this.page = page;
    this.rows = null;
    this.isPartial = true;
    this.shown = shownBefore.get(location.hash) ?? STEP;
    this.chosen = { ...page.route.options };
  }

  open() {
    this.redraw();
    this.polling = this.page.poll(() => this.look(), () => this.pause());
  }

  pause() {
    const isBusy = this.rows.some((row) => inFlight(row.activity) > 0);
    return pauseFor(isBusy, this.rows.map((row) => row.nextAt).filter(Boolean));
  }

  async look() {
    const jobs = [];
    let cursor;
    do {
      const answer = await this.page.project.jobs({ include: "activity", limit: PAGE, cursor });
      jobs.push(...answer.jobs);
      cursor = answer.next_cursor;
      // The first time, show what is there already.
      if (cursor && this.isPartial) this.show(jobs);
    } while (cursor);
    this.isPartial = false;
    this.show(jobs);
  }

  show(jobs) {
    this.rows = jobs.map(asRow);
    this.redraw();
  }

  pick(name, value) {
    this.chosen[name] = value;
    this.shown = STEP;
    choose(this.chosen);
    this.redraw();
  }

  clear() {
    this.chosen = { sort: this.chosen.sort };
    choose(this.chosen);
    this.redraw();
  }

  run(job) {
    openRunDialog(this.page, job);
  }

  async toggle(job) {
    await this.page.attempt(() => this.page.project.update(job.id, { paused: !job.paused }));
    this.polling.again();
  }

  redraw() {
    this.page.draw(this.view());
  }

  view() {
    const { rows, chosen, page } = this;
    if (rows === null) return heading("");
    if (!rows.length) return emptyProject(page.route);
    const found = arrange(rows, chosen);
    return [
      heading(`${rows.length}${this.isPartial ? "+" : ""}`),
      jobsFilters(rows, chosen, (name, value) => this.pick(name, value)),
      h("p", { class: "sr", "aria-live": "polite" },
        found.length === rows.length ? "" : `${found.length} jobs match.`),
      found.length
        ? jobsTable(page.route, found.slice(0, this.shown), chosen, this)
        : h("p", { class: "card nothing" }, "No job matches. ",
          h("button", { on: { click: () => this.clear() } }, "Show all jobs")),
      found.length > this.shown && this.more(found.length),
    ];
  }

  more(count) {
    const show = () => {
      this.shown += STEP;
      shownBefore.set(location.hash, this.shown);
      this.redraw();
    };
    return h("p", { class: "more", mounted: (element) => whenSeen(element, show) },
      h("button", { on: { click: show } }, `Show more (${this.shown} of ${count})`));
  }
}

function whenSeen(element, show) {
  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) show();
  }, { rootMargin: "400px" });
  observer.observe(element);
  return () => observer.disconnect();
}

function heading(count) {
  return h("div", { class: "heading" },
    h("h1", null, "Jobs", h("span", { class: "count" }, ` ${count}`)));
}
