// Reads an output page by page: the newest lines first, then backwards or onwards from there.

import { Lines } from "./lines.js";

const FIRST = 2_000;
const PAGE = 10_000;

/** One reading of an output: `readPage(query)` asks the API, `filter` is the API's own filter. */
export class OutputSource {
  constructor(readPage, filter = "") {
    this.readPage = readPage;
    this.filter = filter;
    this.lines = new Lines();
    this.older = null;
    this.newer = null;
    this.isOpen = false;
    this.isReadingEarlier = false;
  }

  /** Whether nothing more can come: the run is over and read to its end. */
  get isOver() {
    return this.isOpen && this.newer === null;
  }

  /** Whether there are earlier lines that the page has room for. */
  get hasEarlier() {
    return this.older !== null && !this.lines.isFull;
  }

  /** The newest lines. */
  async open() {
    const page = await this.readPage({ limit: FIRST, filter: this.filter });
    this.lines.append(page.logs);
    this.older = page.previous_cursor;
    this.newer = page.next_cursor;
    this.isOpen = true;
  }

  /** What came since. Answers the number of lines, and the rows that were dropped before them. */
  async later() {
    if (this.newer === null) return { count: 0, dropped: 0 };
    const page = await this.readPage({ limit: PAGE, filter: this.filter, cursor: this.newer });
    this.newer = page.next_cursor;
    const dropped = this.lines.append(page.logs);
    if (dropped) this.older = null;
    return { count: page.logs.length, dropped };
  }

  /** One page of what came before. Answers the rows that it took; 0 also where nothing is left. */
  async earlier() {
    if (!this.hasEarlier || this.isReadingEarlier) return 0;
    this.isReadingEarlier = true;
    try {
      const page = await this.readPage({ limit: PAGE, filter: this.filter, cursor: this.older });
      this.older = page.previous_cursor;
      return this.lines.prepend(page.logs);
    } finally {
      this.isReadingEarlier = false;
    }
  }

  /** The whole output as text, read anew from its end to its beginning; `progress(lines)`. */
  async download(progress) {
    const parts = [];
    let count = 0;
    let cursor;
    do {
      const page = await this.readPage({ limit: PAGE, filter: this.filter, cursor });
      count += page.logs.length;
      progress(count);
      const text = page.logs.map((line) => `${line.timestamp} ${line.message}\n`).join("");
      // A Blob may be kept on disk, a string may not.
      parts.unshift(new Blob([text]));
      cursor = page.previous_cursor;
    } while (cursor);
    return new Blob(parts, { type: "text/plain" });
  }
}
