// The lines of an output in memory, and which row of the screen each begins at (no DOM).

import { plain } from "./ansi.js";

/** What the page keeps: with these it stays far below 150 MB. */
export const MOST_LINES = 200_000;
export const MOST_CHARACTERS = 32_000_000;

/**
 * Lines in time order, held as columns, since 200,000 objects would cost several times the text.
 *
 * A line takes as many rows as it needs at `width` characters a row, as in a terminal. All rows are
 * equally high, so the place of each is known without laying it out.
 */
export class Lines {
  constructor() {
    this.messages = [];
    this.times = [];
    this.attempts = [];
    this.runs = [];
    /** Characters of each without control sequences. */
    this.lengths = [];
    /** Row at which each line begins; one more entry than lines. */
    this.rowStarts = [0];
    this.width = 200;
    this.characters = 0;
    /** Whether lines were left out to save memory, at the beginning. */
    this.hasDropped = false;
  }

  get length() {
    return this.messages.length;
  }

  get rows() {
    return this.rowStarts[this.length];
  }

  get isFull() {
    return this.length >= MOST_LINES || this.characters >= MOST_CHARACTERS;
  }

  /** Put what came later behind. Answers how many rows went at the beginning to make room. */
  append(lines) {
    for (const line of lines) {
      const begins = this.rows;
      this.#put(line);
      this.rowStarts.push(begins + this.#rowsOf(this.length - 1));
    }
    return this.isFull ? this.#dropOldest() : 0;
  }

  /** Put what came earlier before. Answers how many rows that is. */
  prepend(lines) {
    const earlier = new Lines();
    earlier.width = this.width;
    for (const line of lines) earlier.#put(line);
    for (const column of COLUMNS) this[column] = earlier[column].concat(this[column]);
    this.characters += earlier.characters;
    const before = this.rows;
    this.#measureAll();
    return this.rows - before;
  }

  setWidth(width) {
    if (width === this.width) return;
    this.width = width;
    this.#measureAll();
  }

  /** The plain text of a line. */
  text(index) {
    return plain(this.messages[index]);
  }

  /** The line that row `row` belongs to. */
  lineAt(row) {
    let [low, high] = [0, this.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.rowStarts[middle] <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Indexes of the lines whose text contains `words`, in any case. */
  find(words) {
    const wanted = words.toLowerCase();
    const found = [];
    for (let index = 0; wanted && index < this.length; index += 1) {
      if (this.text(index).toLowerCase().includes(wanted)) found.push(index);
    }
    return found;
  }

  /** The first line that looks like an error, or -1. */
  firstError() {
    for (let index = 0; index < this.length; index += 1) {
      if (LOOKS_LIKE_ERROR.test(this.text(index))) return index;
    }
    return -1;
  }

  #put(line) {
    this.messages.push(line.message);
    this.times.push(Date.parse(line.timestamp));
    this.attempts.push(line.attempt);
    this.runs.push(line.run_id);
    this.lengths.push(plain(line.message).length);
    this.characters += line.message.length;
  }

  #rowsOf(index) {
    return Math.max(1, Math.ceil(this.lengths[index] / this.width));
  }

  #measureAll() {
    const starts = new Array(this.length + 1);
    starts[0] = 0;
    for (let index = 0; index < this.length; index += 1) {
      starts[index + 1] = starts[index] + this.#rowsOf(index);
    }
    this.rowStarts = starts;
  }

  /** A tenth at once, so that this is seldom. */
  #dropOldest() {
    const count = Math.max(1, Math.floor(this.length / 10));
    const rows = this.rowStarts[count];
    for (let index = 0; index < count; index += 1) this.characters -= this.messages[index].length;
    for (const column of COLUMNS) this[column] = this[column].slice(count);
    this.#measureAll();
    this.hasDropped = true;
    return rows;
  }
}

const COLUMNS = ["messages", "times", "attempts", "runs", "lengths"];
const LOOKS_LIKE_ERROR = new RegExp(
  "\\b(error|exception|traceback|fatal|panic|critical|fail(ed|ure)?|killed|segmentation fault|" +
  "out of memory|cannot|could not|denied|refused|unable to|no such file)\\b|\\w(Error|Exception)\\b",
  "i");
