// The runs of a project between two times, read once and then kept as they are now.

import { readAll } from "./api.js";
import { isInFlight } from "./outcomes.js";
import { HOUR } from "./times.js";

const PAGE = 1_000;
const NEWEST = 200;
/** What a page can draw; with more, the window is too wide. */
const MOST = 10_000;
/** Runs that began so long before the window are still found in it. */
const MARGIN = 6 * HOUR;

export class RunsWindow {
  /** `readPage(query)` asks the API for runs of the project. */
  constructor(readPage, { from, to }) {
    this.readPage = readPage;
    this.query = { since: iso(from - MARGIN), until: iso(to) };
    this.runs = [];
    this.isComplete = true;
    this.isRead = false;
  }

  async refresh() {
    if (this.isRead && (await this.#readNewest())) return;
    const read = (query) => this.readPage({ ...this.query, ...query });
    const { records, isComplete } = await readAll(read, "runs", { limit: PAGE, most: MOST });
    Object.assign(this, { runs: records, isComplete, isRead: true });
  }

  /** Whether the newest runs were enough: whatever was in flight is among them. */
  async #readNewest() {
    const page = await this.readPage({ ...this.query, limit: NEWEST });
    const newest = new Set(page.runs.map((run) => run.id));
    const others = this.runs.filter((run) => !newest.has(run.id));
    const isJoined = page.next_cursor === null || others.length < this.runs.length;
    if (!isJoined || others.some(isInFlight)) return false;
    this.runs = [...page.runs, ...others];
    return true;
  }
}

function iso(at) {
  return new Date(at).toISOString();
}
