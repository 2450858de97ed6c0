// The runs of one job that the page has read: the newest again and again, older ones on request.

const FIRST = 1_000;
const AGAIN = 100;

/** Keeps runs newest first; `read(query)` asks the API for a page. */
export class JobRuns {
  constructor(read) {
    this.read = read;
    this.runs = [];
    this.older = null;
    this.isRead = false;
  }

  /** Whether every run of the job is here. */
  get isComplete() {
    return this.isRead && this.older === null;
  }

  /** Read the newest; what was read before is kept, as it is now. */
  async refresh() {
    if (!this.isRead) {
      const page = await this.read({ limit: FIRST });
      this.runs = page.runs;
      this.older = page.next_cursor;
      this.isRead = true;
      return;
    }
    const page = await this.read({ limit: AGAIN });
    const oldest = page.runs.at(-1)?.id ?? "";
    const isGap = page.next_cursor !== null && !this.runs.some((run) => run.id >= oldest);
    if (isGap) {
      // More than a page of runs since the last look, such as after a night in a hidden tab.
      this.runs = page.runs;
      this.older = page.next_cursor;
    } else this.runs = [...page.runs, ...this.runs.filter((run) => run.id < oldest)];
  }

  async readOlder() {
    const page = await this.read({ limit: FIRST, cursor: this.older });
    this.runs = [...this.runs, ...page.runs];
    this.older = page.next_cursor;
  }
}
