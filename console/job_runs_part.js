// The runs of a job as a list, with the API's own filters.

import { h } from "./dom.js";
import { OUTCOMES } from "./outcomes.js";
import { runsTable } from "./runs_table.js";
import { count } from "./words.js";

const STEP = 25;
const STATUSES = ["pending", "running", "succeeded", "failed", "cancelled"];
const TRIGGERS = { schedule: "By the schedule", manual: "By hand" };

/** Answers a function that describes the part as it is now. */
export function runsPart(page, state, redraw) {
  const chosen = { status: "", trigger: "" };
  let shown = STEP;
  let filtered = null;
  let filteredOf = null;

  async function read(cursor) {
    const answer = await page.attempt(() =>
      page.project.runs(page.route.job, { ...chosen, limit: 4 * STEP, cursor }));
    if (!answer) return;
    filtered = {
      runs: [...(cursor ? filtered.runs : []), ...answer.runs],
      next: answer.next_cursor,
    };
    redraw();
  }

  function pick(name, value) {
    chosen[name] = value;
    shown = STEP;
    filtered = null;
    filteredOf = null;
    redraw();
  }

  /** The filtered list is read anew whenever the newest runs have changed. */
  function refreshFiltered() {
    const newest = JSON.stringify(state.runs.runs.slice(0, 4 * STEP).map(({ id, status }) => [id, status]));
    if (newest === filteredOf) return;
    filteredOf = newest;
    read();
  }

  async function more() {
    shown += STEP;
    if (isFiltered() && filtered?.next && shown > filtered.runs.length) await read(filtered.next);
    else if (!isFiltered() && shown > state.runs.runs.length && state.runs.older) await readOlder();
    redraw();
  }

  const readOlder = () => page.attempt(() => state.runs.readOlder());
  const isFiltered = () => Boolean(chosen.status || chosen.trigger);

  return () => {
    if (isFiltered()) refreshFiltered();
    const { runs, hasMore } = isFiltered()
      ? { runs: filtered?.runs ?? [], hasMore: Boolean(filtered?.next) }
      : { runs: state.runs.runs, hasMore: state.runs.older !== null };
    return [
      h("div", { class: "filters" },
        select("Outcome", chosen.status, (value) => pick("status", value),
          STATUSES.map((status) => [status, OUTCOMES[status].label])),
        select("Started by", chosen.trigger, (value) => pick("trigger", value), Object.entries(TRIGGERS)),
        h("span", { class: "faint" }, isFiltered() && !filtered ? "Reading…"
          : `${count(runs.length, "run")}${hasMore ? " read" : ""}`)),
      runs.length ? runsTable(page.route, runs.slice(0, shown))
        : h("p", { class: "nothing" }, isFiltered() && !filtered ? "Reading…" : "No runs."),
      (runs.length > shown || hasMore) && h("p", { class: "more" },
        h("button", { on: { click: more } }, "Show older runs")),
    ];
  };
}

function select(label, value, pick, entries) {
  return h("select", { "aria-label": label, value, on: { change: (event) => pick(event.target.value) } },
    h("option", { value: "" }, `${label}: all`),
    entries.map(([name, text]) => h("option", { key: name, value: name }, text)));
}
