// What all charts share: they fit their width, show values under the pointer and by keyboard, and
// give the same numbers as a table.

import { draw, h } from "./dom.js";

/**
 * A widget for `hosted`. Its args:
 * - `label`: what it shows, in words.
 * - `drawing(width)`: answers `{height, nodes, points}`; a point is `{x, y, text, href}` in pixels,
 *   where `text` is a list of lines and without `y` only the distance in x counts. Points are in the
 *   order in which the arrow keys go.
 * - `stride`: how many points the up and down keys go; 0 where these keys do nothing.
 * - `table`: `{columns, rows}`, the same numbers; rows are lists of texts.
 */
export function chart(element) {
  const state = { args: null, width: 0, selected: null, points: [], isByKey: false };
  const observer = new ResizeObserver(() => {
    if (Math.abs(element.clientWidth - state.width) >= 1) redraw();
  });
  observer.observe(element);

  function select(index, isByKey) {
    state.selected = index === null ? null : Math.max(0, Math.min(state.points.length - 1, index));
    state.isByKey = isByKey;
    redraw();
  }

  function move(event) {
    const box = event.currentTarget.getBoundingClientRect();
    select(nearest(state.points, event.clientX - box.left, event.clientY - box.top), false);
  }

  function key(event) {
    const last = state.points.length - 1;
    const at = state.selected ?? last + 1;
    const stride = state.args.stride ?? 0;
    const next = {
      ArrowLeft: at - 1, ArrowRight: state.selected === null ? 0 : at + 1, Home: 0, End: last,
      ...(stride ? { ArrowUp: at - stride, ArrowDown: at + stride } : {}),
    }[event.key];
    if (event.key === "Escape") select(null, true);
    else if (event.key === "Enter") follow();
    else if (next !== undefined && last >= 0) {
      event.preventDefault();
      select(next, true);
    }
  }

  function follow() {
    const href = state.points[state.selected]?.href;
    if (href) location.hash = href;
  }

  function redraw() {
    state.width = element.clientWidth;
    if (!state.width || !state.args) return;
    const { label, drawing, table } = state.args;
    const { height, nodes, points } = drawing(state.width);
    state.points = points;
    const point = points[state.selected] ?? null;
    draw(element,
      h("div", { class: "chart-place" },
        h("svg", {
          class: `chart${point?.href ? " is-link" : ""}`,
          width: state.width,
          height,
          viewBox: `0 0 ${state.width} ${height}`,
          tabindex: "0",
          role: "img",
          "aria-label": `${label}. Arrow keys read the values; a table follows.`,
          on: {
            pointermove: move,
            pointerleave: () => select(null, false),
            blur: () => select(null, false),
            click: (event) => { move(event); follow(); },
            keydown: key,
          },
        }, nodes, point && h("path", { class: "crosshair", d: `M${round(point.x)} 0V${height}` })),
        point && tooltip(point, state.width)),
      h("p", { class: "sr", "aria-live": "polite" }, state.isByKey && point ? point.text.join(", ") : ""),
      table && tableOf(label, table));
  }

  return {
    update(args) {
      state.args = args;
      redraw();
    },
    close() {
      observer.disconnect();
      draw(element);
    },
  };
}

function nearest(points, x, y) {
  let best = null;
  let least = Infinity;
  points.forEach((point, index) => {
    const distance = Math.hypot(point.x - x, point.y === undefined ? 0 : point.y - y);
    if (distance < least) [best, least] = [index, distance];
  });
  return best;
}

function tooltip(point, width) {
  const isRight = point.x > width / 2;
  return h("div", {
    class: "tooltip",
    style: isRight
      ? { left: "auto", right: `${width - point.x + 10}px` }
      : { left: `${point.x + 10}px`, right: "auto" },
  }, point.text.map((line) => h("div", null, line)));
}

function tableOf(label, { columns, rows }) {
  return h("details", { class: "numbers" },
    h("summary", null, "As a table"),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
      h("table", null,
        h("caption", { class: "sr" }, label),
        h("thead", null, h("tr", null, columns.map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", null, rows.map((row) => h("tr", null, row.map((text) => h("td", null, text))))))));
}

export function round(number) {
  return Math.round(number * 10) / 10;
}
