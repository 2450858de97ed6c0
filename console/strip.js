// The strip of a job's last runs: height is duration, colour and shape are the outcome.

import { h } from "./dom.js";
import { OUTCOMES, isSlotOnly, outcomeOf } from "./outcomes.js";
import { dateTime, duration, millis, now } from "./times.js";

const COUNT = 20;
const STEP = 8;
const WIDTH = 6;
const HEIGHT = 26;
const BASE = 20;
/** Under the base line is room for the mark of a failure. */
const LEAST = 4;

/** `runs` newest first, as `recent_runs` has them; drawn with the newest at the right. */
export function strip(runs) {
  const shown = runs.slice(0, COUNT).reverse();
  const lengths = shown.map(lengthOf);
  const longest = Math.max(1, ...lengths);
  const first = COUNT - shown.length;
  return h("svg", {
    class: "strip",
    viewBox: `0 0 ${COUNT * STEP} ${HEIGHT}`,
    width: COUNT * STEP,
    height: HEIGHT,
    role: "img",
    "aria-label": inWords(shown),
  },
  h("path", { class: "base", d: `M0 ${BASE + 0.5}H${COUNT * STEP}` }),
  shown.map((run, index) => bar(run, (first + index) * STEP + 1, lengths[index] / longest)));
}

function bar(run, x, share) {
  const outcome = outcomeOf(run);
  const height = isSlotOnly(run) ? LEAST + 2 : LEAST + share * (BASE - LEAST - 1);
  const y = BASE - height;
  return h("g", { class: `mark is-${outcome}` },
    h("title", null, describe(run)),
    h("rect", { class: "hit", x: x - 1, y: 0, width: STEP, height: HEIGHT }),
    h("rect", { class: "bar", x: x + 0.5, y, width: WIDTH - 1, height }),
    outcome === "failed" && h("path", { class: "sign", d: `M${x} ${BASE + 2}h${WIDTH}v3h-${WIDTH}z` }));
}

function lengthOf(run) {
  const start = millis(run.started_at);
  return start === null ? 0 : (millis(run.finished_at) ?? now()) - start;
}

/** One run in a line, for a tooltip. */
export function describe(run) {
  const label = OUTCOMES[outcomeOf(run)].label;
  const at = dateTime(millis(run.scheduled_for ?? run.created_at), { weekday: true });
  return run.started_at ? `${label}, ${duration(lengthOf(run))}\n${at}` : `${label}\n${at}`;
}

function inWords(runs) {
  if (!runs.length) return "No runs yet";
  const counts = Object.keys(OUTCOMES).map((outcome) => [
    runs.filter((run) => outcomeOf(run) === outcome).length,
    OUTCOMES[outcome].label.toLowerCase(),
  ]).filter(([count]) => count);
  return `Last ${runs.length} runs: ${counts.map((each) => each.join(" ")).join(", ")}`;
}
