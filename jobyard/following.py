"""
Follow a run: its state as it changes, and each line of its output once and in order.

The API's cursors contain the place in the output, so a lost answer, a 503 or a restart of the API
loses no line: the same cursor is read again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from jobyard.client import is_over
from jobyard.errors import Refused

if TYPE_CHECKING:
    from jobyard.client import Client, Json

PAGE = 10_000
"""Lines in one answer, at most: the API's own limit."""
KEPT_PAGES = 20
"""Pages that are kept while the beginning is searched for; if there are more, the newer ones are
read again."""
OUTAGE_PATIENCE = 300.0
"""Seconds without any answer after which following gives up."""
STATE_SECONDS = (0.4, 1.5)
"""Seconds between two reads of the run, at first and at most; its end is known within the
latter."""
LINES_SECONDS = (0.5, 5.0)
"""Seconds between two reads of its output, while lines come and after a silence."""
SLOWER = 1.4


class RunFollower:
    """
    Follows one run, in flight or over.

    `poll` makes the reads that are due and returns new lines; `seconds_left` is the time to the
    next read.
    """

    def __init__(
        self,
        client: Client,
        run: Json,
        *,
        with_lines: bool = True,
        filter_text: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.run = run
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._reader = None if not with_lines else RunReader(client, run, filter_text)
        self._state_wait, self._lines_wait = STATE_SECONDS[0], LINES_SECONDS[0]
        self._next_state = self._next_lines = clock()

    @property
    def is_done(self) -> bool:
        """The run is over, and all of its output was read."""
        return is_over(self.run) and (self._reader is None or self._reader.is_done)

    def lines(self) -> Iterator[Json]:
        """Every line until the end."""
        while not self.is_done:
            yield from self.poll()
            if not self.is_done:
                self._sleep(self.seconds_left())

    def seconds_left(self) -> float:
        """Until something is due."""
        due = [] if is_over(self.run) else [self._next_state]
        if self._reader is not None and not self._reader.is_done:
            due.append(self._next_lines)
        return max(0.0, min(due, default=0.0) - self._clock())

    def poll(self) -> list[Json]:
        """New lines; `run` is as it is now."""
        now = self._clock()
        if not is_over(self.run) and now >= self._next_state:
            self._look(now)
        if self._reader is None or self._reader.is_done or now < self._next_lines:
            return []
        lines = self._reader.read()
        self._plan_reading(lines)
        return lines

    def _look(self, now: float) -> None:
        status = self.run["status"]
        self.run = self._client.get_run(self.run["job_id"], self.run["id"])
        if is_over(self.run):
            self._next_lines = now  # what is left of its output, without waiting
        changed = self.run["status"] != status
        self._state_wait = STATE_SECONDS[0] if changed else self._state_wait * SLOWER
        self._state_wait = min(self._state_wait, STATE_SECONDS[1])
        self._next_state = self._clock() + self._state_wait

    def _plan_reading(self, lines: list[Json]) -> None:
        slowest = LINES_SECONDS[0] if is_over(self.run) else LINES_SECONDS[1]
        wait = LINES_SECONDS[0] if lines else self._lines_wait * SLOWER
        self._lines_wait = min(wait, slowest)
        pause = 0.0 if len(lines) >= PAGE else self._lines_wait
        self._next_lines = self._clock() + pause


class RunReader:
    """
    The output of a run from its first line on; `read` goes on where the last one ended.

    1. The first `read` walks back from the newest page to the beginning.
    2. Each further one reads on at the last cursor, until the API says that nothing can come.

    A cursor that has become too old (CloudWatch keeps its tokens for 24 hours) is replaced by
    reading from the beginning again, less the lines that were read before.
    """

    def __init__(self, client: Client, run: Json, filter_text: str | None = None) -> None:
        self.is_done = False
        self._client = client
        self.job_id, self.run_id = run["job_id"], run["id"]
        self._query: dict[str, Any] = {} if filter_text is None else {"filter": filter_text}
        self._cursor: str | None = None
        self._count = 0
        self._skip = 0

    def read(self) -> list[Json]:
        try:
            lines = self._read_on() if self._cursor else self._from_the_beginning()
        except Refused as refused:
            if self._cursor is None or refused.code != "bad_cursor":
                raise
            self._cursor, self._skip, self._count = None, self._count, 0
            return []
        self.is_done = self._cursor is None
        self._count += len(lines)
        if not self._skip:
            return lines
        known = min(self._skip, len(lines))
        self._skip -= known
        return lines[known:]

    def _page(self, **place: Any) -> Json:
        return self._client.run_logs(self.job_id, self.run_id, limit=PAGE, **place)

    def _read_on(self) -> list[Json]:
        page = self._page(cursor=self._cursor)
        self._cursor = page["next_cursor"]
        return list(page["logs"])

    def _from_the_beginning(self) -> list[Json]:
        """
        The oldest pages, as many as are kept; the cursor goes on behind them.

        An empty page is not kept: its cursor may lead back to the beginning.
        """
        page = self._page(**self._query)
        pages: list[Json] = []
        while True:
            if page["logs"]:
                pages = [*pages[-(KEPT_PAGES - 1) :], page]
            if page["previous_cursor"] is None:
                break
            page = self._page(cursor=page["previous_cursor"])
        newest = pages[0] if pages else page
        self._cursor = newest["next_cursor"]
        return [line for page in reversed(pages) for line in page["logs"]]
