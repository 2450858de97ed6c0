// The part of an output that is seen: only these rows are elements, however long the output is.

import { spans } from "./ansi.js";
import { draw, h } from "./dom.js";
import { clock, dateTime, utc } from "./times.js";

const ROW = 18;
/** Rows drawn above and below what is seen, so that scrolling finds them there. */
const MARGIN = 12;
const TIME_CHARACTERS = 13;
const RUN_CHARACTERS = 8;
const LEAST_WIDTH = 20;

/** Draws `view.lines` into a scrolling element. `view`: {lines, words, current, hasTimes, runLink}. */
export class OutputRows {
  /** `onScroll({isAtTop, isAtEnd})` is called after each scroll. */
  constructor(element, onScroll) {
    this.element = element;
    this.onScroll = onScroll;
    this.view = null;
    this.sizer = document.createElement("div");
    this.sizer.className = "output-size";
    this.rows = document.createElement("div");
    this.rows.className = "output-rows";
    this.probe = document.createElement("span");
    this.probe.className = "output-probe";
    this.probe.textContent = "0".repeat(100);
    this.sizer.append(this.probe, this.rows);
    element.append(this.sizer);
    this.frame = null;
    element.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.observer = new ResizeObserver(() => this.#resized());
    this.observer.observe(element);
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  get isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    return scrollHeight - scrollTop - clientHeight < 1.5 * ROW;
  }

  show(view) {
    this.view = view;
    this.#measure();
    this.#draw();
  }

  /** Keep what is seen where it is, after `rows` rows were put before it (or taken, if negative). */
  shift(rows) {
    this.#resizeSizer();
    this.element.scrollTop += rows * ROW;
    this.#draw();
  }

  toEnd() {
    this.#resizeSizer();
    this.element.scrollTop = this.element.scrollHeight;
    this.#draw();
  }

  toLine(index) {
    const row = this.view.lines.rowStarts[index];
    const inTheMiddle = row * ROW - this.element.clientHeight / 3;
    this.element.scrollTop = Math.max(0, inTheMiddle);
    this.#draw();
  }

  #scrolled() {
    this.#draw();
    this.onScroll({ isAtTop: this.element.scrollTop < 40 * ROW, isAtEnd: this.isAtEnd });
  }

  #resized() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      if (!this.view) return;
      const wasAtEnd = this.isAtEnd;
      const line = this.view.lines.lineAt(Math.floor(this.element.scrollTop / ROW));
      this.#measure();
      if (wasAtEnd) this.toEnd();
      else if (this.view.lines.length) {
        this.element.scrollTop = this.view.lines.rowStarts[line] * ROW;
      }
      this.#draw();
    });
  }

  /** How many characters fit into a row. */
  #measure() {
    const { view } = this;
    const character = this.probe.getBoundingClientRect().width / 100;
    // Nothing has a size while the page is not laid out.
    if (!character) return;
    const used = (view.hasTimes ? TIME_CHARACTERS : 0) + (view.runLink ? RUN_CHARACTERS : 0) + 3;
    const width = Math.floor(this.element.clientWidth / character) - used;
    view.lines.setWidth(Math.max(LEAST_WIDTH, width));
  }

  #resizeSizer() {
    this.sizer.style.height = `${this.view.lines.rows * ROW}px`;
  }

  #draw() {
    if (!this.view) return;
    this.#resizeSizer();
    const { lines } = this.view;
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW) - MARGIN);
    const seen = Math.ceil(this.element.clientHeight / ROW) + 2 * MARGIN;
    const last = Math.min(lines.rows, first + seen);
    this.rows.style.transform = `translateY(${first * ROW}px)`;
    draw(this.rows, this.#rowsBetween(first, last));
  }

  #rowsBetween(first, last) {
    const { lines } = this.view;
    const made = [];
    let line = -1;
    let parts = null;
    for (let row = first; row < last; row += 1) {
      const index = lines.lineAt(row);
      if (index !== line) parts = spans(lines.messages[index]);
      line = index;
      made.push(this.#row(row, index, parts));
    }
    return made;
  }

  #row(row, index, parts) {
    const { lines, words, current, hasTimes, runLink } = this.view;
    const part = row - lines.rowStarts[index];
    const from = part * lines.width;
    const isFirst = part === 0;
    return h("div", { class: `row${index === current ? " is-current" : ""}`, key: row },
      hasTimes && h("span", { class: "row-time" }, isFirst && timeOf(lines.times[index])),
      runLink && h("span", { class: "row-run" }, isFirst && runOf(lines.runs[index], runLink)),
      h("span", { class: "row-text" },
        marked(cut(parts, from, from + lines.width), words).map(({ text, classes, isMatch }) =>
          isMatch ? h("mark", { class: classes }, text)
            : classes ? h("span", { class: classes }, text) : text)));
  }
}

function timeOf(at) {
  const fraction = String(at % 1000).padStart(3, "0");
  return h("time", {
    datetime: new Date(at).toISOString(),
    title: `${dateTime(at, { weekday: true, seconds: true })}\n${utc(at)}`,
  }, `${clock(at, { seconds: true })}.${fraction}`);
}

function runOf(run, runLink) {
  return run && h("a", { href: runLink(run), title: run }, run.slice(-5));
}

/** The parts of a line from one character to another. */
function cut(parts, from, to) {
  const found = [];
  let at = 0;
  for (const { text, classes } of parts) {
    const piece = text.slice(Math.max(0, from - at), Math.max(0, to - at));
    if (piece && at + text.length > from) found.push({ text: piece, classes });
    at += text.length;
    if (at >= to) break;
  }
  return found;
}

/** The parts with those that hold `words` apart. A match across two colours or rows is not marked. */
function marked(parts, words) {
  if (!words) return parts;
  const wanted = words.toLowerCase();
  return parts.flatMap(({ text, classes }) => {
    const found = [];
    const lower = text.toLowerCase();
    let from = 0;
    for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
      found.push({ text: text.slice(from, at), classes });
      found.push({ text: text.slice(at, at + wanted.length), classes, isMatch: true });
      from = at + wanted.length;
    }
    found.push({ text: text.slice(from), classes });
    return found.filter(({ text: piece }) => piece);
  });
}
