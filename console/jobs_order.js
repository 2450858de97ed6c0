// Which jobs the list shows, and in which order (pure).

import { JOB_STATES, isSlotOnly, jobState } from "./outcomes.js";
import { millis } from "./times.js";

const RANK = Object.fromEntries(Object.keys(JOB_STATES).map((state, rank) => [state, rank]));
// A running job comes before one that is fine; the rest are equal and go by name.
RANK.paused = RANK.idle = RANK.fine;

/** A job with what the list needs to know of it. */
export function asRow(job) {
  const { activity } = job;
  const lastRun = activity.recent_runs.find((run) => !isSlotOnly(run)) ?? null;
  const started = millis(lastRun?.started_at ?? null);
  const finished = millis(lastRun?.finished_at ?? null);
  return {
    job,
    activity,
    /** What the row shows: while this is the same, and nothing runs, the row is too. */
    text: JSON.stringify(job),
    lastRun,
    state: jobState(job, activity),
    lastAt: millis(lastRun?.created_at ?? null),
    lastLength: started !== null && finished !== null ? finished - started : null,
    nextAt: millis(job.next_run_at),
    cost: activity.cost_this_month?.usd ?? activity.cost_this_month ?? null,
  };
}

const byName = (a, b) => a.job.name.localeCompare(b.job.name, undefined, { numeric: true });

/** Nothing comes last, whichever way a column is sorted. */
function by(value, sign) {
  return (a, b) => {
    const [one, other] = [value(a), value(b)];
    if (one === null || other === null) return (one === null) - (other === null) || byName(a, b);
    return sign * (one - other) || byName(a, b);
  };
}

/** Within one state: what failed last comes first, everything else goes by name. */
function byUrgency(a, b) {
  return a.state === "failing" ? b.lastAt - a.lastAt || byName(a, b) : byName(a, b);
}

/** The columns that the list can be sorted by, each in the order that is wanted first. */
export const ORDERS = {
  state: (sign) => (a, b) => sign * (RANK[a.state] - RANK[b.state]) || byUrgency(a, b),
  name: (sign) => (a, b) => sign * byName(a, b),
  last: (sign) => by((row) => row.lastAt, -sign),
  next: (sign) => by((row) => row.nextAt, sign),
  cost: (sign) => by((row) => row.cost, -sign),
};

/** The rows that match `{q, tag, state}`, sorted by `sort` ("name", or "-name" for the reverse). */
export function arrange(rows, { q = "", tag = "", state = "", sort = "state" }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (row) => {
    const { name, tags, image, id } = row.job;
    const text = [name, ...tags, image, id].join("\n").toLowerCase();
    return (!state || row.state === state) && (!tag || tags.includes(tag)) &&
      words.every((word) => text.includes(word));
  };
  const isReverse = sort.startsWith("-");
  const order = ORDERS[isReverse ? sort.slice(1) : sort] ?? ORDERS.state;
  return rows.filter(matches).sort(order(isReverse ? -1 : 1));
}

/** Every tag of the rows, sorted. */
export function tagsOf(rows) {
  return [...new Set(rows.flatMap((row) => row.job.tags))].sort();
}
