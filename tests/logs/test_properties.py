"""
For any lines, windows, limits and times: every line is read once, in order, in both directions.

The lines are written while they are read, in any number of attempts, many in one millisecond.
CloudWatch cuts its pages by number of lines, by time and by the lines that it searched.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chalicelib.usecases import log_reading
from chalicelib.usecases.logs import LogPage
from tests.logs.log_world import UP_TO, World, make_world, texts

QUICK = settings(
    max_examples=50,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)


@dataclass(frozen=True)
class Write:
    """Lines that a task writes in one batch: for each, the milliseconds since the line before."""

    gaps: list[int]


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: float


@dataclass(frozen=True)
class Retry:
    """The attempt ends and the next one starts."""


@dataclass(frozen=True)
class Interrupt:
    """The task is interrupted and the attempt starts again."""


@dataclass(frozen=True)
class FailToStart:
    """The attempt is launched again, because its task did not start; it wrote nothing."""


@dataclass(frozen=True)
class Read:
    """A reader who follows the run reads the next page."""

    limit: int


GAPS = st.sampled_from([0, 0, 0, 1, 40, 3_000])
STEPS = st.one_of(
    st.builds(Write, st.lists(GAPS, min_size=1, max_size=12)),
    st.builds(Write, st.lists(GAPS, min_size=1, max_size=12)),
    st.builds(Wait, st.sampled_from([0.001, 1, 90, 20_000])),
    st.builds(Retry),
    st.builds(Interrupt),
    st.builds(FailToStart),
    st.builds(Read, st.integers(1, 9)),
    st.builds(Read, st.integers(1, 9)),
)


Step = Write | Wait | Retry | Interrupt | FailToStart


class Story:
    """
    A run that writes lines and is retried; `lines` has what was written, in order, with its time.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.run = world.run()
        self.tasks = 0
        self.lines: list[tuple[int, str]] = []
        self.begin()

    def begin(self) -> None:
        self.has_written = False
        self.tasks += 1
        self.task = self.world.start(self.run, f"{self.tasks:032d}")

    def write(self, gaps: list[int]) -> None:
        batch: list[tuple[int, str]] = []
        for gap in gaps:
            self.world.move(milliseconds=gap)
            batch.append((self.world.ms, f"line {len(self.lines) + len(batch)}"))
        self.world.put(self.task, batch)
        self.has_written = True
        self.lines += batch

    def play(self, step: Step) -> None:
        if isinstance(step, Write):
            self.write(step.gaps)
        elif isinstance(step, Wait):
            self.world.move(seconds=step.seconds)
        elif isinstance(step, FailToStart):
            if not self.has_written:  # else it started
                self.world.fail_to_start(self.run)
                self.begin()
        elif isinstance(step, Interrupt):
            self.world.interrupt(self.run)
            self.world.move(seconds=30)
            self.begin()
        else:
            self.world.end_attempt(self.run, retry=True)
            self.world.move(seconds=30)
            self.begin()

    @property
    def expected(self) -> list[str]:
        return [text for _, text in self.lines]


def first_look(world: World, story: Story, query: dict[str, Any]) -> tuple[LogPage, list[str]]:
    """Read all lines there are; return them and the newest page, from which following goes on."""
    newest = page = world.of_run(story.run, limit=UP_TO, **query)
    seen = texts(page)
    if not seen and newest.next_cursor is not None:
        return newest, []  # the gap is too long for one request: following reads all
    while page.previous_cursor is not None:
        page = world.of_run(story.run, page.previous_cursor, limit=UP_TO, **query)
        seen = texts(page) + seen
    return newest, seen


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)


@pytest.mark.parametrize("query", [{}, {"filter": "line"}], ids=["tokens", "search"])
@given(
    steps=st.lists(STEPS, max_size=14),
    scan_limit=st.sampled_from([None, 1, 5]),
    slice_ms=st.sampled_from([None, 3_600_000, 1_000_000]),
)
@QUICK
def test_following_a_run_gives_every_line_once_in_order(
    query: dict[str, Any],
    steps: list[Step | Read],
    scan_limit: int | None,
    slice_ms: int | None,
) -> None:
    """The reader begins at any time and goes on through retries until after the run's end."""
    with make_world() as world, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_reading, "MAX_PAGES", 20)
        world.cloudwatch.scan_limit, world.cloudwatch.slice_ms = scan_limit, slice_ms
        story = Story(world)
        page: LogPage | None = None
        seen: list[str] = []
        for step in [*steps, None]:
            if step is None:
                world.end_attempt(story.run)
            elif not isinstance(step, Read):
                story.play(step)
                continue
            if page is None:
                page, seen = first_look(world, story, query)
            elif page.next_cursor is not None:
                limit = step.limit if step else 7
                page = world.of_run(story.run, page.next_cursor, limit=limit, **query)
                seen += texts(page)
            assert page.next_cursor is not None or step is None  # the run goes on
        assert page is not None
        while page.next_cursor is not None:
            page = world.of_run(story.run, page.next_cursor, limit=7, **query)
            seen += texts(page)
        assert seen == story.expected


@pytest.mark.parametrize("query", [{}, {"filter": "line"}], ids=["tokens", "search"])
@given(
    steps=st.lists(st.one_of(STEPS.filter(lambda s: not isinstance(s, Read))), max_size=10),
    window=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    limit=st.integers(1, 9),
    scan_limit=st.sampled_from([None, 1, 5]),
    slice_ms=st.sampled_from([None, 3_600_000]),
)
@QUICK
def test_any_window_is_read_whole_from_either_end(
    query: dict[str, Any],
    steps: list[Step],
    window: tuple[int, int],
    limit: int,
    scan_limit: int | None,
    slice_ms: int | None,
) -> None:
    """The pages go back from the newest line to the first, and then forwards again."""
    with make_world() as world:
        world.cloudwatch.scan_limit, world.cloudwatch.slice_ms = scan_limit, slice_ms
        story = Story(world)
        for step in steps:
            story.play(step)
        world.end_attempt(story.run)
        world.move(minutes=5)
        times = [time for time, _ in story.lines] or [world.ms]
        start, end = sorted(times[place % len(times)] for place in window)
        end += 1
        expected = [text for time, text in story.lines if start <= time < end]
        query = {**query, "start": at(start), "end": at(end)}
        page = world.of_run(story.run, limit=limit, **query)
        if not page.is_partial:
            assert texts(page) == expected[-limit:]
        assert page.next_cursor is None
        back = texts(page)
        while page.previous_cursor is not None:
            page = world.of_run(story.run, page.previous_cursor, limit=limit)
            back = texts(page) + back
        assert back == expected
        forth = texts(page)
        while page.next_cursor is not None:
            page = world.of_run(story.run, page.next_cursor, limit=limit)
            forth += texts(page)
        assert forth == expected


@given(
    steps=st.lists(st.one_of(STEPS, st.integers(0, 2)), max_size=16),
    scan_limit=st.sampled_from([None, 1, 5]),
)
@QUICK
def test_following_a_job_gives_every_line_once(
    steps: list[Write | Wait | Retry | Read | int], scan_limit: int | None
) -> None:
    """
    Three runs write at once, and CloudWatch has each line at once; a number switches to that run.
    """
    with make_world() as world:
        world.cloudwatch.scan_limit = scan_limit
        tasks = [world.start(world.run(f"run_{n}"), f"{n:032d}") for n in range(3)]
        now = tasks[0]
        written: list[tuple[str, str]] = []
        seen: list[tuple[str | None, str]] = []
        page = world.of_job()
        for step in steps:
            if isinstance(step, int):
                now = tasks[step]
            elif isinstance(step, Read):
                page = world.of_job(page.next_cursor, limit=step.limit)
                seen += [(line.run_id, line.message) for line in page.lines]
            elif isinstance(step, Write):
                for gap in step.gaps:
                    world.move(milliseconds=gap)
                    world.say(now, str(len(written)))
                    written.append((world.tasks[now][0], str(len(written))))
            elif isinstance(step, Wait):
                world.move(seconds=step.seconds)
        while (page := world.of_job(page.next_cursor)).lines or page.is_partial:
            seen += [(line.run_id, line.message) for line in page.lines]
        assert seen == written
