"""Following the lines of a run and of a job, and paging back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.usecases import log_reading
from chalicelib.usecases.logs import LogPage
from tests.logs.log_world import World, numbered, texts

LINES = [f"line {number}" for number in range(1, 5)]


def test_following_loses_and_repeats_nothing_within_a_millisecond(world: World) -> None:
    """
    Many lines have one timestamp, more than a page holds, and more are added while they are read.
    """
    run = world.run()
    task = world.start(run, "a" * 32)
    at = world.ms
    world.put(task, [(at, str(n)) for n in range(25)])
    page = world.of_run(run, limit=5)
    seen = texts(page)
    world.put(task, [(at, str(n)) for n in range(25, 40)])
    while page.next_cursor and page.lines:
        page = world.of_run(run, page.next_cursor, limit=4)
        seen += texts(page)
    assert seen == numbered(20, 39)


@pytest.mark.parametrize("text", [None, "line"])
def test_attempts_follow_one_another(world: World, text: str | None) -> None:
    """A reader who follows a run gets the lines of an attempt that starts meanwhile."""
    query: dict[str, Any] = {} if text is None else {"filter": text}
    run = world.run()
    first = world.start(run, "a" * 32)
    world.say(first, "line 1", "line 2")
    page = world.of_run(run, **query)
    assert texts(page) == ["line 1", "line 2"]
    world.move(seconds=5)
    world.say(first, "line 3")
    world.end_attempt(run, retry=True)
    world.move(seconds=30)
    second = world.start(run, "b" * 32)
    world.say(second, "line 4")
    page = world.of_run(run, page.next_cursor, **query)
    assert [(line.message, line.attempt) for line in page.lines] == [("line 3", 1), ("line 4", 2)]
    world.move(seconds=5)
    world.say(second, "line 5")
    world.end_attempt(run)
    page = world.of_run(run, page.next_cursor, **query)
    assert texts(page) == ["line 5"]
    assert page.next_cursor is None
    assert texts(world.of_run(run, limit=4, **query)) == [f"line {n}" for n in range(2, 6)]


def test_a_cursor_of_a_task_that_was_launched_again_goes_on_with_the_next(world: World) -> None:
    """A task that failed to start is replaced by another one within the attempt."""
    run = world.run()
    world.say(world.start(run, "a" * 32), "never mind")
    page = world.of_run(run)
    world.say(world.start(run, "b" * 32), "here")
    assert texts(world.of_run(run, page.next_cursor)) == ["here"]
    assert page.next_cursor is not None
    back = {**page.next_cursor, "back": True}
    assert texts(world.of_run(run, back)) == ["here"]


@pytest.mark.parametrize("text", [None, "line"])
def test_what_interrupted_tasks_wrote_is_read_in_order_and_once(
    world: World, text: str | None
) -> None:
    """
    Of a reader who follows, also while a task starts that then does not, and of one who comes in
    the end.
    """
    query: dict[str, Any] = {} if text is None else {"filter": text}
    run = world.run()
    world.say(world.start(run, "a" * 32), "line 1")
    page = world.of_run(run, **query)
    seen = texts(page)
    for task, lines in (("b", ["line 2", "line 3"]), ("c", []), ("d", ["line 4"]), ("e", [])):
        world.move(minutes=5)
        world.interrupt(run)
        world.move(minutes=5)
        world.start(run, "f" * 31 + task)  # does not start
        page = world.of_run(run, page.next_cursor, **query)
        seen += texts(page)
        world.fail_to_start(run)
        world.start(run, task * 32)
        if lines:
            world.say(task * 32, *lines)
    page = world.of_run(run, page.next_cursor, **query)
    seen += texts(page)
    world.end_attempt(run)
    page = world.of_run(run, page.next_cursor, **query)
    assert (seen + texts(page), page.next_cursor) == (LINES, None)
    found = world.of_run(run, **query)
    assert texts(found) == LINES
    assert {line.attempt for line in found.lines} == {1}


@pytest.mark.parametrize("text", [None, "line"])
def test_a_run_of_many_tasks_without_a_line_is_read_to_its_end(
    world: World, text: str | None
) -> None:
    """More than one answer asks about: each answer goes on where the last one ended."""
    query: dict[str, Any] = {} if text is None else {"filter": text}
    run = world.run()
    page = world.of_run(run, **query)
    for number in range(2 * log_reading.MAX_PAGES):
        world.start(run, f"{number:032d}")
        world.interrupt(run)
    world.say(world.start(run, "a" * 32), "line 1")
    world.end_attempt(run)
    seen = texts(page)
    for _ in range(6):
        assert page.next_cursor is not None
        page = world.of_run(run, page.next_cursor, **query)
        seen += texts(page)
        if page.next_cursor is None:
            break
    assert (seen, page.next_cursor) == (["line 1"], None)


def test_nothing_more_can_come_once_a_run_is_over_and_read(world: World) -> None:
    """A cancelled run goes on until its container has stopped, since that may still write lines."""
    run = world.run()
    task = world.start(run, "a" * 32)
    world.say(task, *numbered(1, 10))
    run.status = "cancelled"
    page = world.of_run(run)
    assert page.next_cursor is not None
    world.move(seconds=5)
    world.say(task, "11")
    run.live, run.finished_at = None, world.now
    world.move(days=3)
    rest = world.of_run(run, page.next_cursor)
    assert (texts(rest), rest.next_cursor) == (["11"], None)
    newest = world.of_run(run, limit=3)
    assert (texts(newest), newest.next_cursor) == (["9", "10", "11"], None)
    older = world.of_run(run, newest.previous_cursor, limit=3)
    assert texts(older) == ["6", "7", "8"]
    again = world.of_run(run, older.next_cursor, limit=2)
    assert texts(again) == ["9", "10"] and again.next_cursor is not None
    assert texts(world.of_run(run, again.next_cursor)) == ["11"]


def test_nothing_more_can_come_once_the_end_has_passed(world: World) -> None:
    run = world.run()
    task = world.start(run, "a" * 32)
    world.say(task, "1")
    end = world.now + timedelta(minutes=1)
    for page in (world.of_run(run, end=end), world.of_job(end=end)):
        assert texts(page) == ["1"] and page.next_cursor is not None
        last = page.next_cursor
    world.move(seconds=59)
    world.say(task, "2")
    world.move(seconds=2)
    world.say(task, "too late")
    page = world.of_run(run, end=end)
    assert (texts(page), page.next_cursor) == (["1", "2"], None)
    page = world.of_job(last)
    assert (texts(page), page.next_cursor) == (["2"], None)


@pytest.mark.parametrize("text", [None, "line"])
def test_a_job_is_followed_through_runs_that_come_and_go(world: World, text: str | None) -> None:
    query: dict[str, Any] = {} if text is None else {"filter": text}
    page = world.of_job(**query)
    seen = []
    for n in range(4):
        world.move(minutes=7)
        run = world.run(f"run_{n}")
        task = world.start(run, f"{n}" * 32)
        world.say(task, f"line {n}a", f"line {n}b")
        for _ in range(3):
            page = world.of_job(page.next_cursor, limit=1, **query)
            seen += texts(page)
    assert seen == [f"line {n}{letter}" for n in range(4) for letter in "ab"]


def test_an_idle_job_is_followed_without_reading_its_history_again(world: World) -> None:
    """Each poll reads only from the last line on, or the last two minutes."""
    task = world.start(world.run(), "a" * 32)
    world.put(task, [(world.ms + n, f"noise {n}") for n in range(500)])
    world.cloudwatch.scan_limit = 100
    world.move(minutes=5)
    page = world.of_job(filter="rare")
    assert world.calls["FilterLogEvents"] == 5
    page = world.of_job(page.next_cursor)
    assert world.calls["FilterLogEvents"] == 1
    world.say(task, "a rare line")
    page = world.of_job(page.next_cursor)
    assert texts(page) == ["a rare line"]


def test_a_line_that_comes_a_minute_late_is_found_where_nothing_was(world: World) -> None:
    task = world.start(world.run(), "a" * 32)
    page = world.of_job()
    late = world.ms
    world.move(seconds=60)
    page = world.of_job(page.next_cursor)
    world.put(task, [(late, "late")])
    assert texts(world.of_job(page.next_cursor)) == ["late"]


# --- going back -----------------------------------------------------------------------------


@pytest.mark.parametrize("query", [{}, {"filter": "line"}])
def test_going_back_reaches_the_beginning(world: World, query: dict[str, Any]) -> None:
    """The pages lead back across attempts; `previous_cursor` is null at the beginning."""
    run = world.run()
    for number, task in enumerate(("a" * 32, "b" * 32)):
        world.start(run, task)
        world.put(task, [(world.ms + n // 4, f"line {number * 10 + n}") for n in range(10)])
        world.move(seconds=30)
        world.end_attempt(run, retry=number == 0)
    expected = [f"line {n}" for n in range(20)]
    for of in (functools.partial(world.of_run, run), world.of_job):
        read: Callable[..., LogPage] = functools.partial(of, limit=3, **query)
        page = read()
        seen = texts(page)
        while page.previous_cursor:
            page = read(page.previous_cursor)
            seen = texts(page) + seen
        assert seen == expected
        page = read(page.next_cursor)
        assert texts(page) == expected[2:5]


def test_a_page_reached_by_following_has_a_previous_page(world: World) -> None:
    run = world.run()
    task = world.start(run, "a" * 32)
    world.say(task, *numbered(1, 5))
    page = world.of_run(run)
    world.say(task, *numbered(6, 9))
    page = world.of_run(run, page.next_cursor)
    assert texts(page) == numbered(6, 9)
    assert texts(world.of_run(run, page.previous_cursor)) == numbered(1, 5)
    page = world.of_run(run, page.next_cursor)
    assert page.lines == []
    assert texts(world.of_run(run, page.previous_cursor)) == numbered(1, 9)
