// The search, the states, the tag and the order of the list of jobs.

import { h } from "./dom.js";
import { tagsOf } from "./jobs_order.js";
import { JOB_STATES, badge } from "./outcomes.js";

/** `pick(name, value)` changes what is chosen. */
export function jobsFilters(rows, chosen, pick) {
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
    tagFilter(tagsOf(rows), chosen, pick),
    sortFilter(rows, chosen, pick));
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

/** For a narrow screen, where the list has no columns to sort by. */
function sortFilter(rows, chosen, pick) {
  const labels = {
    state: "Failing first", name: "By name", last: "Last run first", next: "Next run first",
    ...(rows.some((row) => row.cost !== null) ? { cost: "Dearest first" } : {}),
  };
  return h("select", {
    class: "sort-select",
    "aria-label": "Order",
    value: (chosen.sort ?? "state").replace(/^-/, ""),
    on: { change: (event) => pick("sort", event.target.value) },
  }, Object.entries(labels).map(([sort, label]) => h("option", { value: sort, key: sort }, label)));
}
