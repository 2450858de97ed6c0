// A run's output, or a job's across its runs: follows it, searches it, and downloads it.

import { draw } from "./dom.js";
import { outputBar } from "./output_bar.js";
import { OutputRows } from "./output_rows.js";
import { OutputSource } from "./output_source.js";
import { poll } from "./poll.js";

/** Milliseconds between two looks: while lines come, while none come, and while nothing is in flight. */
const QUICK = 2_000;
const SLOW = 4_000;
const IDLE = 20_000;
const SEARCH_PAUSE = 200;

/**
 * A widget for `hosted`. Its args: `read(query, signal)` asks the API for a page, `isOver()` says
 * whether nothing is in flight, `fileName` names the download, `failed(error)` is called for an
 * error that will not pass, `runLink(run)` is given where lines are of several runs, `key` names
 * what is read (another key begins anew).
 */
export function output(element) {
  return new Output(element);
}

class Output {
  constructor(element) {
    this.element = element;
    this.args = null;
    this.reading = null;
    this.rows = null;
    this.typing = null;
    this.state = { words: "", isFiltered: false, hasTimes: true };
  }

  update(args) {
    const isNew = args.key !== this.args?.key;
    this.args = args;
    if (isNew) this.begin();
    else this.redraw();
  }

  close() {
    clearTimeout(this.typing);
    this.reading?.abort();
    draw(this.element);
  }

  /** Begin to read, from the newest line. */
  begin() {
    this.reading?.abort();
    this.reading = new AbortController();
    const { signal } = this.reading;
    const { args, state } = this;
    const source = new OutputSource((query) => args.read(query, signal), state.isFiltered ? state.words : "");
    Object.assign(state, {
      source, matches: [], current: -1, busy: null, error: null, isFollowing: true, quiet: 0,
    });
    poll({
      signal,
      look: () => (source.isOpen ? this.onward() : source.open()),
      pause: () => this.pause(),
      report: ({ error }) => this.report(error),
    });
    this.redraw();
  }

  pause() {
    if (this.state.source.isOver) return null;
    if (!this.state.quiet) return QUICK;
    return this.args.isOver() && this.state.quiet > 2 ? IDLE : SLOW;
  }

  async onward() {
    const { state } = this;
    const { count, dropped } = await state.source.later();
    state.quiet = count ? 0 : state.quiet + 1;
    if (dropped && !state.isFollowing) this.rows.shift(-dropped);
  }

  report(error) {
    const { state } = this;
    state.error = error?.message ?? null;
    if (error && !error.mayPass) this.args.failed(error);
    if (state.words && !state.isFiltered) state.matches = state.source.lines.find(state.words);
    this.redraw();
    if (state.isFollowing) this.rows.toEnd();
  }

  async earlier() {
    const { source } = this.state;
    const added = await this.attempt(() => source.earlier());
    if (source !== this.state.source || !added) return;
    this.moved(added);
  }

  /** After lines were put before what is seen. */
  moved(rows) {
    const { state } = this;
    state.matches = state.source.lines.find(state.isFiltered ? "" : state.words);
    state.current = -1;
    this.redraw();
    this.rows.shift(rows);
  }

  /** Read back to the beginning, as far as the page has room. False if it was given up. */
  async readAll() {
    const { state } = this;
    const { source } = state;
    while (source.hasEarlier && source === state.source) {
      state.busy = `${source.lines.length.toLocaleString("en")} lines…`;
      this.redraw();
      const added = await this.attempt(() => source.earlier());
      if (added === undefined) break;
      if (added) this.moved(added);
    }
    state.busy = null;
    this.redraw();
    return source === state.source;
  }

  /** What `act` answers; undefined, and the error is shown, if it fails. */
  async attempt(act) {
    try {
      return await act();
    } catch (error) {
      if (error.name === "AbortError") return undefined;
      this.state.error = error.message;
      this.redraw();
      return undefined;
    }
  }

  type(words) {
    this.state.words = words;
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.search(), SEARCH_PAUSE);
  }

  search() {
    const { state } = this;
    if (state.isFiltered) return this.begin();
    state.matches = state.source.lines.find(state.words);
    state.current = -1;
    if (state.matches.length) return this.jump(state.matches.at(-1));
    this.redraw();
  }

  filter(isFiltered) {
    this.state.isFiltered = isFiltered;
    this.begin();
  }

  /** To the next match, or to the one before. */
  step(by) {
    const { matches, current } = this.state;
    if (!matches.length) return;
    this.jump(by > 0
      ? matches.find((line) => line > current) ?? matches[0]
      : matches.findLast((line) => line < current) ?? matches.at(-1));
  }

  jump(line) {
    Object.assign(this.state, { current: line, isFollowing: false });
    this.redraw();
    this.rows.toLine(line);
  }

  async firstError() {
    if (!(await this.readAll())) return;
    const line = this.state.source.lines.firstError();
    this.state.error = line < 0 ? "No line looks like an error." : null;
    if (line >= 0) this.jump(line);
    else this.redraw();
  }

  async toStart() {
    this.state.isFollowing = false;
    if (await this.readAll()) this.rows.element.scrollTop = 0;
  }

  toEnd() {
    this.state.isFollowing = true;
    this.redraw();
    this.rows.toEnd();
  }

  times(hasTimes) {
    this.state.hasTimes = hasTimes;
    this.redraw();
    if (this.state.isFollowing) this.rows.toEnd();
  }

  async download() {
    const { state } = this;
    const blob = await this.attempt(() => state.source.download((count) => {
      state.busy = `${count.toLocaleString("en")} lines…`;
      this.redraw();
    }));
    state.busy = null;
    this.redraw();
    if (blob) save(blob, this.args.fileName);
  }

  scrolled({ isAtTop, isAtEnd }) {
    if (isAtEnd !== this.state.isFollowing) {
      this.state.isFollowing = isAtEnd;
      this.redraw();
    }
    if (isAtTop) this.earlier();
  }

  mountRows = (scroller) => {
    this.rows = new OutputRows(scroller, (where) => this.scrolled(where));
    return () => this.rows.close();
  };

  redraw() {
    draw(this.element, outputBar(this.state, this, this.mountRows));
    const { source, words, current, hasTimes, isFiltered } = this.state;
    this.rows?.show({
      lines: source.lines, words, current, hasTimes, isFiltered, runLink: this.args.runLink,
    });
  }
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
