// What stands around an output: the search, the switches, and where the reader is.

import { h } from "./dom.js";
import { MOST_LINES } from "./lines.js";
import { count } from "./words.js";

/** `acts` is the output itself. */
export function outputBar(state, acts, mountRows) {
  const { source, matches, current } = state;
  return [
    h("div", { class: "output-bar", key: "bar" },
      h("input", {
        type: "search",
        "aria-label": "Search the output",
        placeholder: "Search",
        on: {
          input: (event) => acts.type(event.target.value),
          keydown: (event) => {
            if (event.key === "Enter") acts.step(event.shiftKey ? -1 : 1);
          },
        },
      }),
      state.words && !state.isFiltered && h("span", { class: "found", "aria-live": "polite" },
        matches.length
          ? `${(matches.indexOf(current) + 1 || "–").toLocaleString("en")} of ${matches.length.toLocaleString("en")}`
          : "Not found"),
      state.words && !state.isFiltered && h("span", { class: "steps" },
        h("button", { "aria-label": "Previous match", on: { click: () => acts.step(-1) } }, "↑"),
        h("button", { "aria-label": "Next match", on: { click: () => acts.step(1) } }, "↓")),
      toggle("Only matching lines", state.isFiltered, (isOn) => acts.filter(isOn)),
      toggle("Times", state.hasTimes, (isOn) => acts.times(isOn)),
      h("span", { class: "space" }),
      h("button", { on: { click: () => acts.firstError() }, disabled: Boolean(state.busy) }, "First error"),
      h("button", { on: { click: () => acts.toStart() }, disabled: Boolean(state.busy) }, "Beginning"),
      h("button", { on: { click: () => acts.toEnd() }, "aria-pressed": String(state.isFollowing) },
        source.isOver ? "End" : "Follow"),
      h("button", { on: { click: () => acts.download() }, disabled: Boolean(state.busy) }, "Download")),
    h("div", { class: "output-place", key: "place" },
      h("div", {
        class: "output",
        role: "region",
        "aria-label": "Output",
        tabindex: "0",
        mounted: mountRows,
      }),
      source.isOpen && !source.lines.length && h("p", { class: "output-nothing" }, nothing(state))),
    h("p", { class: "output-foot", key: "foot", role: "status" }, foot(state)),
  ];
}

function toggle(label, isOn, set) {
  return h("label", { class: "switch" },
    h("input", { type: "checkbox", checked: isOn, on: { change: (event) => set(event.target.checked) } }),
    h("span", null, label));
}

function nothing({ source, words, isFiltered }) {
  if (isFiltered && words) return "No line contains that text, in the same case.";
  return source.isOver ? "There is no output." : "No output yet.";
}

function foot(state) {
  const { source, busy, error } = state;
  if (error) return h("span", { class: "bad" }, error);
  if (busy) return `Reading: ${busy}`;
  if (!source.isOpen) return "Reading…";
  const parts = [count(source.lines.length, "line")];
  if (source.lines.hasDropped || (source.older !== null && source.lines.isFull)) {
    parts.push(`the page keeps about ${MOST_LINES.toLocaleString("en")}; the download has all`);
  } else if (source.older !== null) parts.push("earlier ones are read when you scroll up");
  if (!source.isOver) parts.push(state.isFollowing ? "following" : "more may come");
  return parts.join(" · ");
}
