"""
The lines of a run, or of all runs of a job.

A run's lines are those of its tasks' streams, `run/main/{task id}`, one after the other: a task
starts only after the one before has STOPPED, in the next attempt or after an interruption.
Without a filter each stream is read by CloudWatch's own tokens, so that following a run loses and
repeats nothing. With a filter, and for a job, lines are searched; a caller who follows may miss
those that CloudWatch delivers late.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.cloud import logs as cloudwatch
from chalicelib.cloud.logs import Event, stale_cursor
from chalicelib.domain.attempt_tasks import RunLike, RunTask, task_id, tasks_of
from chalicelib.domain.ecs_task import CONTAINER
from chalicelib.domain.errors import BadRequest
from chalicelib.domain.window import EPOCH, Window
from chalicelib.usecases.log_reading import Found, Place, Reader, Room
from chalicelib.usecases.log_sources import Position, SearchSource, Source, StreamSource

if TYPE_CHECKING:
    from chalicelib.clock import Clock
    from chalicelib.cloud.logs import Logs
    from chalicelib.settings import Settings

STREAM_PREFIX = f"run/{CONTAINER}/"
"""Before the task id in a stream's name: awslogs-stream-prefix and the container's name."""
JOB_WINDOW = timedelta(hours=24)
SKEW_MS = 60_000
"""How far the clocks that stamp lines and those that stamp tasks may differ."""

FindRuns = Callable[[str, set[str]], Mapping[str, tuple[str, int]]]
"""Run id and attempt of those of a job's tasks, named by their ids, that are known."""


@dataclass(frozen=True, slots=True)
class LogsRequest:
    """Which lines to read: of a window, newest `limit` first found, or those around a cursor."""

    window: Window
    limit: int
    filter: str | None
    """Only lines that contain this."""
    cursor: Mapping[str, Any] | None
    """What an earlier LogPage gave; it brings its own window."""
    room: Room


@dataclass(slots=True)
class JobLogs:
    """Reads the output of runs."""

    cloudwatch_logs: Logs
    find_runs: FindRuns
    settings: Settings
    clock: Clock

    def of_run(self, run: RunLike, asked: LogsRequest) -> LogPage:
        """
        The newest lines of a run in the window, by default its whole life, or those at `cursor`.

        `run` must have been read before: if its task had ended by then, its output was complete,
        since the log driver sends it before a task is STOPPED. Costs one call to CloudWatch a page
        read. BadRequest for a cursor of another query, or one too old; Unavailable.
        """
        now = self.clock.now()
        at = _at(asked, now, default=EPOCH)
        sources = self._attempts(run, at, now)
        tasks = {STREAM_PREFIX + source.task: (run.run_id, source.attempt) for source in sources}
        is_over = run.live is None or _has_passed(at.end, now)
        found = self._read(sources, at, asked)
        lines = [Line(e.timestamp, e.message, *tasks[e.stream]) for e in found.events]
        return _page(lines, found, at, is_first=asked.cursor is None, is_over=is_over)

    def of_job(self, job_id: str, asked: LogsRequest) -> LogPage:
        """
        The newest lines of all runs of a job in the window, by default the last 24 hours.

        One call to CloudWatch a page read, whatever the number of streams, and one look-up of
        the tasks that wrote the lines. BadRequest and Unavailable as for a run.
        """
        now = self.clock.now()
        at = _at(asked, now, default=JOB_WINDOW)
        source = SearchSource(
            logs=self.cloudwatch_logs,
            group=self.settings.log_group(job_id),
            streams=(),
            pattern=None if at.filter is None else cloudwatch.quoted(at.filter),
            start=at.start,
            end=_end(at.end, now),
            now=_ms(now),
            attempt=0,
            task="",
        )
        found = self._read([source], at, asked)
        tasks = {task_id(event.stream) for event in found.events}
        runs = self.find_runs(job_id, tasks) if tasks else {}
        lines = [_line_of_job(event, runs) for event in found.events]
        is_over = _has_passed(at.end, now)
        return _page(lines, found, at, is_first=asked.cursor is None, is_over=is_over)

    def _read(self, sources: list[Source], at: Cursor, asked: LogsRequest) -> Found:
        reader = Reader(asked.room, self.clock)
        if at.back:
            place = None if asked.cursor is None else at.place
            return reader.read_back(sources, place, asked.limit)
        return reader.read_on(sources, at.place, asked.limit)

    def _attempts(self, run: RunLike, at: Cursor, now: datetime) -> list[Source]:
        """
        A source for each task, the oldest first; one without output, which a cursor may name all
        the same, is empty and costs no call.
        """
        sources: list[Source] = []
        begins = _ms(run.created_at) - SKEW_MS
        for task in tasks_of(run):
            if not task.has_output:
                sources.append(self._attempt(run.job_id, task, at.filter, (0, 0), now))
                continue
            ended = _ms(task.ended_at or now)
            span = max(at.start, begins), min(_end(at.end, now), ended + SKEW_MS)
            sources.append(self._attempt(run.job_id, task, at.filter, span, now))
            begins = ended - SKEW_MS
        return sources

    def _attempt(
        self, job_id: str, task: RunTask, text: str | None, span: tuple[int, int], now: datetime
    ) -> Source:
        named: dict[str, Any] = {"attempt": task.attempt, "task": task.task_id}
        place: dict[str, Any] = {
            "logs": self.cloudwatch_logs,
            "group": self.settings.log_group(job_id),
        }
        window: dict[str, Any] = {"start": span[0], "end": span[1]}
        stream = STREAM_PREFIX + task.task_id
        if text is None:
            closed = task.ended_at is not None
            return StreamSource(stream=stream, is_closed=closed, **named, **place, **window)
        pattern = cloudwatch.quoted(text)
        return SearchSource(
            streams=(stream,), pattern=pattern, now=_ms(now), **named, **place, **window
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a run's output; `timestamp` in epoch milliseconds."""

    timestamp: int
    message: str
    run_id: str | None
    """None where it is not known: the run does not know its task yet."""
    attempt: int | None


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
    """The content of a cursor: the window and the filter it was made with, and a place."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    start: _Milliseconds
    end: _Milliseconds | None
    """None: the window is open, and lines that are written later belong to it."""
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


def _line_of_job(event: Event, runs: Mapping[str, tuple[str, int]]) -> Line:
    run_id, attempt = runs.get(task_id(event.stream), (None, None))
    return Line(event.timestamp, event.message, run_id, attempt)


def _at(asked: LogsRequest, now: datetime, default: timedelta | datetime) -> Cursor:
    """The window, the filter and the place to read: a cursor's own, or the end of the window's."""
    if asked.cursor is None:
        start, end = asked.window.between(now, default)
        until = None if asked.window.end is None else _ms(end)
        return Cursor(
            start=_ms(start), end=until, filter=asked.filter, back=True, attempt=0, task=""
        )
    try:
        at = Cursor.model_validate_json(json.dumps(asked.cursor))
    except ValidationError as error:
        raise stale_cursor() from error
    if asked.filter is not None and asked.filter != at.filter:
        raise BadRequest("The cursor belongs to another filter: repeat that one, or leave it out.")
    return at


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
    return -((EPOCH - at) // timedelta(milliseconds=1))
