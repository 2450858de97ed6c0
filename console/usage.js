// CPU and memory over time, with what the job may use as a line.

import { LEFT, RIGHT, limit, scale, timeTicks, valueTicks, xAxis, yAxis } from "./axes.js";
import { chart, round } from "./chart.js";
import { h, hosted } from "./dom.js";
import { dateTime } from "./times.js";
import { bytes, cores } from "./words.js";

const HEIGHT = 170;
const TOP = 16;
const BOTTOM = HEIGHT - 26;
const MIB = 1024 * 1024;

const KINDS = {
  cpu_usage: {
    title: "CPU", show: cores, tick: (value) => `${round(value * 100) / 100}`, unit: "vCPU", base: 10,
    limitOf: (cpu) => cpu,
  },
  memory_usage: {
    title: "Memory", show: bytes, tick: bytes, unit: "", base: 1024,
    limitOf: (_, memory) => memory * MIB,
  },
};

/** The two charts; `answer` is the API's, `cpu` and `memory` the limits, null where several count. */
export function usage(answer, { cpu, memory, from, to }) {
  const isEmpty = answer && Object.keys(KINDS).every((name) => answer.metrics[name]?.points?.length === 0);
  if (isEmpty) return noData();
  return Object.entries(KINDS).map(([name, kind]) => {
    const metric = answer?.metrics[name];
    return h("section", { class: "usage", key: name },
      h("h3", null, kind.title, kind.unit && h("span", { class: "unit" }, ` in ${kind.unit}`)),
      body(metric, kind, kind.limitOf(cpu, memory), { from, to, period: answer?.period_seconds }));
  });
}

function body(metric, kind, most, window) {
  if (!metric) return h("p", { class: "nothing" }, "Reading…");
  if (metric.status === "error") return h("p", { class: "notice is-bad" }, metric.message);
  const points = metric.points.map(({ timestamp, value }) => ({ at: Date.parse(timestamp), value }));
  if (!points.length) return noData();
  return hosted(chart, {
    label: `${kind.title}${Number.isFinite(most) ? `, limit ${kind.show(most)}` : ""}`,
    drawing: (width) => drawing(points, kind, most, window, width),
    table: {
      columns: ["Time", kind.title],
      rows: points.map(({ at, value }) => [dateTime(at, { seconds: true }), kind.show(value)]),
    },
  });
}

function noData() {
  return h("p", { class: "nothing" }, "No data. Container Insights samples once a minute: a short ",
    "run may have none, and a stage may have it off or for jobs only.");
}

function drawing(points, kind, most, { from, to, period }, width) {
  const begin = from ?? points[0].at;
  const end = to ?? points.at(-1).at;
  const place = scale(begin, end, LEFT, width - RIGHT);
  // The first point stands for a period that may begin before the run.
  const x = (at) => place(Math.max(begin, Math.min(end, at)));
  const highest = Math.max(most || 0, ...points.map(({ value }) => value));
  const ticks = valueTicks(highest, 4, kind.base);
  const y = scale(0, ticks.at(-1), BOTTOM, TOP);
  return {
    height: HEIGHT,
    nodes: [
      xAxis(timeTicks(begin, end, width / 90), x, TOP, BOTTOM),
      yAxis(ticks, y, LEFT, width - RIGHT, kind.tick),
      h("path", { key: "line", class: "usage-line", d: path(points, x, y, period * 1000) }),
      points.length < 60 && h("g", { key: "dots" }, points.map(({ at, value }) =>
        h("circle", { class: "usage-dot", cx: round(x(at)), cy: round(y(value)), r: 2.5 }))),
      Number.isFinite(most) && limit(y(most), LEFT, width - RIGHT, `limit ${kind.show(most)}`),
    ],
    points: points.map(({ at, value }) => ({
      x: x(at),
      text: [kind.show(value), dateTime(at, { seconds: true })],
    })),
  };
}

/** A line with gaps where there is no data: a period without a point is not zero. */
function path(points, x, y, period) {
  let text = "";
  let before = -Infinity;
  for (const { at, value } of points) {
    text += `${at - before > 2.5 * period ? "M" : "L"}${round(x(at))} ${round(y(value))}`;
    before = at;
  }
  return text;
}
