// A job's output across its runs, and its CPU and memory.

import { h, hosted } from "./dom.js";
import { inFlight } from "./outcomes.js";
import { output } from "./output.js";
import { link } from "./routes.js";
import { MINUTE } from "./times.js";
import { usage } from "./usage.js";

const WINDOWS = { "1h": "Last hour", "6h": "Last 6 hours", "24h": "Last day", "7d": "Last week", "30d": "Last month" };

/** CloudWatch is asked once a minute at most, and each look is paid for. */
const USAGE_PACE = MINUTE;

/** `jobPage` has `job` and `status` as they are now. */
export function jobOutput(page, jobPage, redraw) {
  const id = page.route.job;
  const chosen = { since: "24h" };
  return () => [
    windows("Output of", chosen.since, (since) => {
      chosen.since = since;
      redraw();
    }),
    hosted(output, {
      key: `${id} ${chosen.since}`,
      // A cursor carries its window.
      read: (query, signal) => page.project.with(signal).get(`/jobs/${id}/logs`,
        query.cursor ? query : { ...query, since: chosen.since }),
      isOver: () => inFlight(jobPage.status) === 0,
      fileName: `${id}.log`,
      runLink: (run) => link(page.route, "run", { job: id, run }),
      failed: page.failed,
    }),
  ];
}

export function jobUsage(page, jobPage, redraw) {
  const id = page.route.job;
  const shown = { since: "6h", answer: null, at: 0, isReading: false };

  async function read() {
    if (shown.isReading || Date.now() - shown.at < USAGE_PACE) return;
    const { since } = shown;
    shown.isReading = true;
    const answer = await page.attempt(() => page.project.get(`/jobs/${id}/metrics`, { since }));
    shown.isReading = false;
    if (since !== shown.since) return read();
    Object.assign(shown, { answer: answer ?? shown.answer, at: Date.now() });
    redraw();
  }

  return () => {
    read();
    const { answer, since } = shown;
    // Limits are of one run; where several ran at once, their memory adds up.
    return [
      windows("CPU and memory of", since, (chosen) => {
        Object.assign(shown, { since: chosen, answer: null, at: 0 });
        redraw();
      }),
      h("p", { class: "help" }, "CPU is the average over the runs in flight, memory their total. ",
        "The limits are those of one run."),
      usage(answer, {
        cpu: jobPage.job.cpu,
        memory: jobPage.job.memory_mib,
        from: answer && Date.parse(answer.start),
        to: answer && Date.parse(answer.end),
      }),
    ];
  };
}

function windows(label, chosen, pick) {
  return h("div", { class: "filters" },
    h("select", { "aria-label": label, value: chosen, on: { change: (event) => pick(event.target.value) } },
      Object.entries(WINDOWS).map(([name, text]) => h("option", { key: name, value: name }, text))));
}
