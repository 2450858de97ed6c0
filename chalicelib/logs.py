"""
The lines of a run, or of all runs of a job.

A run's lines are those of its attempts' streams, `run/main/{task id}`, one after the other: an
attempt starts only after the task of the one before has STOPPED. Without a filter each stream is
read by CloudWatch's own tokens, so that following a run loses and repeats nothing. With one, and
for a job, lines are searched; those that CloudWatch delivers late may be missed by who follows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.cloud import logs as cloudwatch
from chalicelib.cloud.logs import Event, stale_cursor
from chalicelib.errors import BadRequest
from chalicelib.log_reading import Found, Place, read_back, read_on
from chalicelib.log_sources import Position, SearchSource, Source, StreamSource
from chalicelib.run_tasks import RunLike, RunTask, task_id, tasks_of
from chalicelib.states import CONTAINER
from chalicelib.transitions import iso

if TYPE_CHECKING:
    from chalicelib.queries import LogsQuery
    from chalicelib.services import Services

STREAM_PREFIX = f"run/{CONTAINER}/"
"""Before the task id in a stream's name: awslogs-stream-prefix and the container's name."""
JOB_WINDOW = timedelta(hours=24)
SKEW_MS = 60_000
"""By how much the clocks of those who stamp lines and of those who stamp tasks may differ."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

FindRuns = Callable[[set[str]], Mapping[str, tuple[str, int]]]
"""Run id and attempt of those of a job's tasks, named by their ids, that are known."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a run's output; `timestamp` in epoch milliseconds."""

    timestamp: int
    message: str
    run_id: str | None
    """None where it is not known: the run has not learnt of its task yet."""
    attempt: int | None

    def as_dict(self) -> dict[str, Any]:
        """As the contract shows it."""
        at = datetime.fromtimestamp(self.timestamp / 1000, UTC)
        return {
            "timestamp": iso(at),
            "message": self.message,
            "run_id": self.run_id,
            "attempt": self.attempt,
        }


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines in time order; the cursors are JSON objects, to be made opaque."""

    lines: list[Line]
    next_cursor: dict[str, Any] | None
    """Goes on behind the last line; None once nothing more can come."""
    previous_cursor: dict[str, Any] | None
    """Goes back before the first line; None at the beginning."""
    is_partial: bool
    """Cut short by its size or its time; the cursor in the direction of reading goes on."""


_Milliseconds = Annotated[int, Field(ge=0, le=2**53)]


class Cursor(BaseModel):
    """What a cursor holds: the window and the filter it was made with, and a place."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    start: _Milliseconds
    end: _Milliseconds | None
    """None: still open, what is written next is in the window."""
    filter: str | None = Field(max_length=1_024)
    back: bool
    attempt: int = Field(ge=0, le=1_000)
    task: str = Field(max_length=64)
    token: str | None = Field(None, min_length=1, max_length=4_096)
    range: tuple[_Milliseconds, _Milliseconds] | None = None
    time: _Milliseconds | None = None
    event: str | None = Field(None, max_length=256)

    @property
    def place(self) -> Place:
        if self.token is None and self.time is None:
            return Place(self.attempt, self.task, None)
        return Place(
            self.attempt, self.task, Position(self.token, self.range, self.time, self.event)
        )


def run_logs(
    run: RunLike, query: LogsQuery, cursor: Mapping[str, Any] | None, *, on: Services
) -> LogPage:
    """
    The newest lines of a run in the window, by default its whole life, or those at `cursor`.

    `run` must have been read before: if its task had ended by then, so had its output, which
    the log driver sends before a task is STOPPED. Costs one call to CloudWatch a page read.
    BadRequest for a cursor of another query, or one too old; Unavailable.
    """
    now = on.now()
    at = _at(query, cursor, now, default=_BEGINNING)
    sources = _attempts(run, at, now, on=on)
    tasks = {STREAM_PREFIX + source.task: (run.run_id, source.attempt) for source in sources}
    is_over = run.live is None or _has_passed(at.end, now)
    found = _read(sources, at, query.limit, is_first=cursor is None)
    lines = [Line(e.timestamp, e.message, *tasks[e.stream]) for e in found.events]
    return _page(lines, found, at, is_first=cursor is None, is_over=is_over)


def job_logs(
    job_id: str,
    query: LogsQuery,
    cursor: Mapping[str, Any] | None,
    *,
    find_runs: FindRuns,
    on: Services,
) -> LogPage:
    """
    The newest lines of all runs of a job in the window, by default the last 24 hours.

    One call to CloudWatch a page read, whatever the number of streams, and one `find_runs` for
    the tasks that wrote the lines. BadRequest and Unavailable as for a run.
    """
    now = on.now()
    at = _at(query, cursor, now, default=JOB_WINDOW)
    source = SearchSource(
        logs=on.logs,
        group=on.settings.log_group(job_id),
        streams=(),
        pattern=None if at.filter is None else cloudwatch.quoted(at.filter),
        start=at.start,
        end=_end(at.end, now),
        now=_ms(now),
        attempt=0,
        task="",
    )
    found = _read([source], at, query.limit, is_first=cursor is None)
    tasks = {task_id(event.stream) for event in found.events}
    runs = find_runs(tasks) if tasks else {}
    lines = [_line_of_job(event, runs) for event in found.events]
    is_over = _has_passed(at.end, now)
    return _page(lines, found, at, is_first=cursor is None, is_over=is_over)


def _line_of_job(event: Event, runs: Mapping[str, tuple[str, int]]) -> Line:
    run_id, attempt = runs.get(task_id(event.stream), (None, None))
    return Line(event.timestamp, event.message, run_id, attempt)


def _at(
    query: LogsQuery,
    cursor: Mapping[str, Any] | None,
    now: datetime,
    default: timedelta | datetime,
) -> Cursor:
    """The window, the filter and the place to read: a cursor's own, or the end of the query's."""
    if cursor is None:
        start, end = query.window(now, default)
        until = None if query.end is None else _ms(end)
        return Cursor(
            start=_ms(start), end=until, filter=query.filter, back=True, attempt=0, task=""
        )
    try:
        at = Cursor.model_validate_json(json.dumps(cursor))
    except ValidationError as error:
        raise stale_cursor() from error
    if query.filter is not None and query.filter != at.filter:
        raise BadRequest("The cursor belongs to another filter: repeat that one, or leave it out.")
    return at


def _read(sources: list[Source], at: Cursor, limit: int, *, is_first: bool) -> Found:
    if at.back:
        return read_back(sources, None if is_first else at.place, limit)
    return read_on(sources, at.place, limit)


def _page(lines: list[Line], found: Found, at: Cursor, *, is_first: bool, is_over: bool) -> LogPage:
    was_at_end = is_first if at.back else found.is_complete
    return LogPage(
        lines,
        None if is_over and was_at_end else _cursor(at, found.newer, back=False),
        None if found.older is None else _cursor(at, found.older, back=True),
        found.is_partial,
    )


def _cursor(at: Cursor, place: Place, *, back: bool) -> dict[str, Any]:
    position = {} if place.at is None else asdict(place.at)
    named = {"back": back, "attempt": place.attempt, "task": place.task}
    window = at.model_dump(include={"start", "end", "filter"})
    kept = {key: value for key, value in position.items() if value is not None}
    return {**window, **named, **kept}


def _attempts(run: RunLike, at: Cursor, now: datetime, *, on: Services) -> list[Source]:
    """A source for each attempt that has, or had, a task; the oldest first."""
    sources: list[Source] = []
    begins = _ms(run.created_at) - SKEW_MS
    for task in tasks_of(run):
        ended = _ms(task.ended_at or now)
        span = max(at.start, begins), min(_end(at.end, now), ended + SKEW_MS)
        sources.append(_attempt(run.job_id, task, at.filter, span, now, on=on))
        begins = ended - SKEW_MS
    return sources


def _attempt(
    job_id: str,
    task: RunTask,
    text: str | None,
    span: tuple[int, int],
    now: datetime,
    *,
    on: Services,
) -> Source:
    named: dict[str, Any] = {"attempt": task.attempt, "task": task.task_id}
    place: dict[str, Any] = {"logs": on.logs, "group": on.settings.log_group(job_id)}
    window: dict[str, Any] = {"start": span[0], "end": span[1]}
    stream = STREAM_PREFIX + task.task_id
    if text is None:
        closed = task.ended_at is not None
        return StreamSource(stream=stream, is_closed=closed, **named, **place, **window)
    pattern = cloudwatch.quoted(text)
    return SearchSource(
        streams=(stream,), pattern=pattern, now=_ms(now), **named, **place, **window
    )


def _end(end: int | None, now: datetime) -> int:
    """
    Where reading ends, exclusive: never open, since without an end CloudWatch answers empty pages
    for the hours ahead, and its tokens do not settle (see boto/boto3#3718).
    """
    ahead = _ms(now) + SKEW_MS
    return ahead if end is None else min(end, ahead)


def _has_passed(end: int | None, now: datetime) -> bool:
    return end is not None and end <= _ms(now)


def _ms(at: datetime) -> int:
    """Epoch milliseconds, rounded up: so a line is in [start, end) if its milliseconds are."""
    return -((_BEGINNING - at) // timedelta(milliseconds=1))
