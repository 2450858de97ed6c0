// The jobs of a project: which failed, which run, and everything else.

import { h } from "./dom.js";
import { arrange, asRow, tagsOf } from "./jobs_order.js";
import { jobsTable } from "./jobs_table.js";
import { emptyProject } from "./empty_project.js";
import { JOB_STATES, badge, inFlight } from "./outcomes.js";
import { BUSY, IDLE } from "./poll.js";
import { choose } from "./routes.js";
import { openRunDialog } from "./run_dialog.js";

const PAGE = 100;
/** Rows drawn at first, and more with each step: a browser need not lay out 1,000 of them. */
const STEP = 100;

export function openJobs(page) {
  const state = { rows: null, shown: STEP, error: null, chosen: { ...page.route.options } };
  page.title(`Jobs · ${page.route.project}`);
  redraw();

  const polling = page.poll(async () => {
    const jobs = [];
    let cursor;
    do {
      const answer = await page.project.jobs({ include: "activity", limit: PAGE, cursor });
      jobs.push(...answer.jobs);
      cursor = answer.next_cursor;
      // The first time, show what is there already.
      if (cursor && state.rows === null) drawFirst(jobs);
    } while (cursor);
    state.rows = jobs.map(asRow);
    state.partial = false;
    redraw();
  }, () => (state.rows.some((row) => inFlight(row.activity) > 0) ? BUSY : IDLE));

  function drawFirst(jobs) {
    page.draw(view({ ...state, rows: jobs.map(asRow), isPartial: true }));
  }

  function pick(name, value) {
    state.chosen[name] = value;
    state.shown = STEP;
    choose(state.chosen);
    redraw();
  }

  async function toggle(job) {
    await page.attempt(() => page.project.update(job.id, { paused: !job.paused }));
    polling.again();
  }

  function redraw() {
    page.draw(view(state));
  }

  function view({ rows, chosen, isPartial }) {
    if (rows === null) return heading("Jobs");
    if (!rows.length) return emptyProject(page.route);
    const found = arrange(rows, chosen);
    return [
      heading("Jobs", `${rows.length}${isPartial ? "+" : ""}`),
      filters(rows, chosen, pick),
      h("p", { class: "sr", "aria-live": "polite" },
        found.length === rows.length ? "" : `${found.length} jobs match.`),
      found.length
        ? jobsTable(page.route, found.slice(0, state.shown), chosen, {
          sort: (by) => pick("sort", by),
          run: (job) => openRunDialog(page, job, () => polling.again()),
          toggle,
        })
        : h("p", { class: "card nothing" }, "No job matches. ",
          h("button", { on: { click: () => clear() } }, "Show all jobs")),
      found.length > state.shown && more(found.length),
    ];
  }

  function clear() {
    state.chosen = { sort: state.chosen.sort };
    choose(state.chosen);
    redraw();
  }

  function more(count) {
    const show = () => {
      state.shown += STEP;
      redraw();
    };
    return h("p", { class: "more", mounted: (element) => whenSeen(element, show) },
      h("button", { on: { click: show } }, `Show more (${state.shown} of ${count})`));
  }
}

function whenSeen(element, show) {
  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) show();
  }, { rootMargin: "400px" });
  observer.observe(element);
  return () => observer.disconnect();
}

function heading(text, count) {
  return h("div", { class: "heading" }, h("h1", null, text,
    count && h("span", { class: "count" }, ` ${count}`)));
}

function filters(rows, chosen, pick) {
  const counts = {};
  for (const row of rows) counts[row.state] = (counts[row.state] ?? 0) + 1;
  return h("div", { class: "filters", role: "search" },
    h("input", {
      type: "search",
      "aria-label": "Search by name, tag, image or id",
      placeholder: "Search name, tag, image",
      value: chosen.q ?? "",
      on: { input: (event) => pick("q", event.target.value) },
    }),
    h("div", { class: "chips", role: "group", "aria-label": "State" },
      Object.keys(JOB_STATES).filter((state) => counts[state]).map((state) =>
        h("button", {
          key: state,
          class: "chip",
          "aria-pressed": String(chosen.state === state),
          on: { click: () => pick("state", chosen.state === state ? "" : state) },
        }, badge(state), h("span", { class: "number" }, counts[state])))),
    tagFilter(tagsOf(rows), chosen, pick));
}

function tagFilter(tags, chosen, pick) {
  if (!tags.length) return null;
  return h("select", {
    "aria-label": "Tag",
    value: chosen.tag ?? "",
    on: { change: (event) => pick("tag", event.target.value) },
  },
  h("option", { value: "" }, "Every tag"),
  tags.map((tag) => h("option", { value: tag, key: tag }, tag)));
}
