// A run's output, or a job's across its runs: follows it, searches it, and downloads it.

import { draw, h } from "./dom.js";
import { OutputRows } from "./output_rows.js";
import { OutputSource } from "./output_source.js";
import { outputBar } from "./output_bar.js";
import { poll } from "./poll.js";

const QUICK = 2_000;
const SLOW = 4_000;
const SEARCH_PAUSE = 200;

/**
 * A widget for `hosted`. Its args: `read(query)` asks the API for a page, `isOver()` says whether
 * nothing is in flight, `fileName` names the download, `runLink(run)` is given where lines are of
 * several runs, `key` names what is read (another key begins anew).
 */
export function output(element) {
  const state = {
    source: null, words: "", isFiltered: false, hasTimes: true, isFollowing: true,
    matches: [], current: -1, busy: null, error: null, waiting: 0,
  };
  let args = null;
  let reading = null;
  let rows = null;
  let typing = null;

  /** Begin to read, from the newest line. */
  function begin() {
    reading?.abort();
    reading = new AbortController();
    const { signal } = reading;
    const { read } = args;
    const source = new OutputSource((query) => read(query, signal), state.isFiltered ? state.words : "");
    Object.assign(state, { source, matches: [], current: -1, busy: null, error: null, isFollowing: true });
    poll({
      signal,
      look: () => (source.isOpen ? onward(source) : source.open()),
      pause: () => (source.isOver ? null : state.waiting ? SLOW : args.isOver() ? 5 * SLOW : QUICK),
      report: ({ error }) => {
        state.error = error?.message ?? null;
        if (error && !error.mayPass) args.failed(error);
        showNew();
      },
    });
    redraw();
  }

  async function onward(source) {
    const { count, dropped } = await source.later();
    state.waiting = count ? 0 : state.waiting + 1;
    if (dropped && !state.isFollowing) rows.shift(-dropped);
  }

  function showNew() {
    if (state.words && !state.isFiltered) state.matches = state.source.lines.find(state.words);
    redraw();
    if (state.isFollowing) rows.toEnd();
  }

  async function earlier() {
    const { source } = state;
    const added = await attempt(() => source.earlier());
    if (source !== state.source || !added) return;
    search(state.words, false);
    rows.shift(added);
  }

  /** Read back to the beginning, as far as the page has room. */
  async function readAll() {
    const { source } = state;
    while (source.hasEarlier && source === state.source) {
      state.busy = `${source.lines.length.toLocaleString("en")} lines…`;
      redraw();
      if (!(await attempt(() => source.earlier())) && state.error) break;
    }
    state.busy = null;
    search(state.words, false);
    return source === state.source;
  }

  async function attempt(act) {
    try {
      return await act();
    } catch (error) {
      if (error.name === "AbortError") return undefined;
      state.error = error.message;
      redraw();
      return undefined;
    }
  }

  function search(words, isJump = true) {
    state.words = words;
    if (state.isFiltered) return begin();
    state.matches = state.source.lines.find(words);
    if (isJump && state.matches.length) return jump(state.matches.at(-1));
    if (!state.matches.length) state.current = -1;
    redraw();
  }

  function jump(line) {
    state.current = line;
    state.isFollowing = false;
    redraw();
    rows.toLine(line);
  }

  const acts = {
    type(words) {
      state.words = words;
      clearTimeout(typing);
      typing = setTimeout(() => search(words), SEARCH_PAUSE);
    },
    filter(isFiltered) {
      state.isFiltered = isFiltered;
      begin();
    },
    step(by) {
      const { matches, current } = state;
      if (!matches.length) return;
      const next = by > 0
        ? matches.find((line) => line > current) ?? matches[0]
        : matches.findLast((line) => line < current) ?? matches.at(-1);
      jump(next);
    },
    async firstError() {
      if (!(await readAll())) return;
      const line = state.source.lines.firstError();
      if (line >= 0) jump(line);
      else state.error = "No line looks like an error.";
      redraw();
    },
    async toStart() {
      state.isFollowing = false;
      if (!(await readAll())) return;
      rows.element.scrollTop = 0;
    },
    toEnd() {
      state.isFollowing = true;
      redraw();
      rows.toEnd();
    },
    times(hasTimes) {
      state.hasTimes = hasTimes;
      redraw();
      if (state.isFollowing) rows.toEnd();
    },
    async download() {
      const blob = await attempt(() => state.source.download((count) => {
        state.busy = `${count.toLocaleString("en")} lines…`;
        redraw();
      }));
      state.busy = null;
      redraw();
      if (blob) save(blob, args.fileName);
    },
  };

  function mountRows(scroller) {
    rows = new OutputRows(scroller, ({ isAtTop, isAtEnd }) => {
      if (isAtEnd !== state.isFollowing) {
        state.isFollowing = isAtEnd;
        redraw();
      }
      if (isAtTop) earlier();
    });
    return () => rows.close();
  }

  function redraw() {
    draw(element, outputBar(state, args, acts, mountRows));
    const { source, words, current, hasTimes } = state;
    rows?.show({ lines: source.lines, words, current, hasTimes, runLink: args.runLink });
  }

  return {
    update(next) {
      const isNew = next.key !== args?.key;
      args = next;
      if (isNew) begin();
      else redraw();
    },
    close() {
      clearTimeout(typing);
      reading?.abort();
      draw(element);
    },
  };
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
