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
  return new Chart(element);
}

class Chart {
  constructor(element) {
    this.element = element;
    this.args = null;
    this.width = 0;
    this.selected = null;
    this.points = [];
    this.isByKey = false;
    this.observer = new ResizeObserver(() => {
      if (Math.abs(element.clientWidth - this.width) >= 1) this.redraw();
    });
    this.observer.observe(element);
  }

  update(args) {
    this.args = args;
    this.redraw();
  }

  close() {
    this.observer.disconnect();
    draw(this.element);
  }

  select(index, isByKey) {
    this.selected = index === null ? null : Math.max(0, Math.min(this.points.length - 1, index));
    this.isByKey = isByKey;
    this.redraw();
  }

  point(event) {
    const box = event.currentTarget.getBoundingClientRect();
    this.select(nearest(this.points, event.clientX - box.left, event.clientY - box.top), false);
  }

  press(event) {
    const next = this.#keyTarget(event.key);
    if (event.key === "Escape") this.select(null, true);
    else if (event.key === "Enter") this.follow();
    else if (next !== undefined && this.points.length) {
      event.preventDefault();
      this.select(next, true);
    }
  }

  #keyTarget(key) {
    const last = this.points.length - 1;
    const at = this.selected ?? last + 1;
    const stride = this.args.stride ?? 0;
    return {
      ArrowLeft: at - 1,
      ArrowRight: this.selected === null ? 0 : at + 1,
      Home: 0,
      End: last,
      ...(stride ? { ArrowUp: at - stride, ArrowDown: at + stride } : {}),
    }[key];
  }

  follow() {
    const href = this.points[this.selected]?.href;
    if (href) location.hash = href;
  }

  redraw() {
    this.width = this.element.clientWidth;
    if (!this.width || !this.args) return;
    const { label, drawing, table } = this.args;
    const { height, nodes, points } = drawing(this.width);
    this.points = points;
    const point = points[this.selected] ?? null;
    draw(this.element,
      h("div", { class: "chart-place" },
        this.picture(height, [nodes, point && h("path", {
          class: "crosshair", key: "crosshair", d: `M${round(point.x)} 0V${height}`,
        })], point),
        point && tooltip(point, this.width)),
      h("p", { class: "sr", "aria-live": "polite" }, this.isByKey && point ? point.text.join(", ") : ""),
      table && tableOf(label, table));
  }

  picture(height, nodes, point) {
    return h("svg", {
      class: `chart${point?.href ? " is-link" : ""}`,
      width: this.width,
      height,
      viewBox: `0 0 ${this.width} ${height}`,
      tabindex: "0",
      role: "img",
      "aria-label": `${this.args.label}. Arrow keys read the values.`,
      on: {
        pointermove: (event) => this.point(event),
        pointerleave: () => this.select(null, false),
        blur: () => this.select(null, false),
        click: (event) => {
          this.point(event);
          this.follow();
        },
        keydown: (event) => this.press(event),
      },
    }, nodes);
  }
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
