"""The limits of one answer: lines, bytes, calls of CloudWatch, and time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.http import views
from chalicelib.usecases import log_reading
from tests.logs.log_world import UP_TO, World, texts


def test_a_search_through_very_much_ends_early_and_says_so(world: World) -> None:
    """
    An answer ends after 50 pages of CloudWatch; its cursors continue until all lines are found.
    """
    run = world.run()
    task = world.start(run, "a" * 32)
    lines = [(world.ms + n, "needle" if n in (0, 150) else "hay") for n in range(300)]
    world.put(task, lines)
    world.cloudwatch.scan_limit = 1
    page = world.of_run(run, filter="needle")
    assert page.is_partial and page.lines == [] and page.previous_cursor is not None
    assert world.calls == {"FilterLogEvents": log_reading.MAX_PAGES}
    pages, found = 1, []
    while page.previous_cursor:
        page = world.of_run(run, page.previous_cursor)
        found += texts(page)
        pages += 1
    assert found == ["needle", "needle"] and not page.is_partial
    assert pages < 10


def test_a_search_forwards_ends_early_and_goes_on(world: World) -> None:
    """The next request also finds lines that were written after the unfinished search."""
    run = world.run()
    task = world.start(run, "a" * 32)
    world.put(task, [(world.ms, "needle 1")])
    page = world.of_job(filter="needle")
    world.put(task, [(world.ms + 1 + n, "hay") for n in range(120)])
    world.cloudwatch.scan_limit = 1
    page = world.of_job(page.next_cursor)
    assert page.is_partial and page.lines == []
    world.move(minutes=10)
    world.put(task, [(world.ms, "needle 2")])
    world.move(minutes=10)
    found = []
    for _ in range(5):
        page = world.of_job(page.next_cursor)
        found += texts(page)
    assert found == ["needle 2"]
    assert not page.is_partial


def test_hours_without_lines_are_skipped(world: World) -> None:
    """CloudWatch cuts pages by time too, so empty pages in between are not the end."""
    run = world.run()
    task = world.start(run, "a" * 32)
    world.say(task, "1")
    world.move(hours=10)
    world.say(task, "2", "3")
    world.move(hours=10)
    world.cloudwatch.slice_ms = 3_600_000
    assert texts(world.of_run(run, limit=2)) == ["2", "3"]
    page = world.of_run(run)
    assert texts(page) == ["1", "2", "3"] and page.previous_cursor is None
    world.move(hours=10)
    world.say(task, "4")
    world.end_attempt(run)
    page = world.of_run(run, page.next_cursor)
    assert (texts(page), page.next_cursor) == (["4"], None)


def test_a_gap_too_long_for_one_request_is_crossed_in_several(world: World) -> None:
    """
    Paging back always goes on; following waits until the run is over, else it might miss a line.
    """
    run = world.run()
    task = world.start(run, "a" * 32)
    world.say(task, "1")
    first = world.of_run(run)
    world.move(hours=80)
    world.say(task, "2")
    world.cloudwatch.slice_ms = 3_600_000
    page = world.of_run(run)
    assert page.is_partial and texts(page) == ["2"]
    while page.previous_cursor:
        page = world.of_run(run, page.previous_cursor)
    assert texts(page) == ["1"]
    page = world.of_run(run, first.next_cursor)
    assert page.is_partial and page.next_cursor == first.next_cursor
    world.end_attempt(run)
    found = []
    while page.next_cursor:
        page = world.of_run(run, page.next_cursor)
        found += texts(page)
    assert found == ["2"]


@pytest.mark.parametrize(("character", "count"), [("x", 60), ("\x00", 12), ("😀", 25)])
def test_an_answer_stays_under_lambdas_limit(world: World, character: str, count: int) -> None:
    """An answer holds as many lines as fit, and the cursors of both directions leave out none."""
    run = world.run()
    task = world.start(run, "a" * 32)
    length = 100_000 // len(character.encode())
    lines = [f"{n:03d}" + character * length for n in range(count)]
    world.put(task, [(world.ms + n, line) for n, line in enumerate(lines)])
    page = world.of_run(run)
    assert page.is_partial
    back = texts(page)
    sizes = [_encoded(page)]
    while page.previous_cursor:
        page = world.of_run(run, page.previous_cursor)
        back = texts(page) + back
        sizes.append(_encoded(page))
    assert [line[:3] for line in back] == [line[:3] for line in lines]
    forth = texts(page)
    while page.next_cursor and (page := world.of_run(run, page.next_cursor)).lines:
        forth += texts(page)
        sizes.append(_encoded(page))
    assert [line[:3] for line in forth] == [line[:3] for line in lines]
    assert max(sizes) < 5_500_000


def _encoded(page: Any) -> int:
    body = json.dumps({"logs": [views.log_line(line) for line in page.lines]}, ensure_ascii=False)
    return len(json.dumps({"body": body}))


def test_a_line_that_no_answer_could_carry_is_cut(world: World) -> None:
    """One MB of control characters exceeds Lambda's limit after it has been encoded twice."""
    run = world.run()
    task = world.start(run, "a" * 32)
    world.say(task, "before")
    world.say(task, "\x01" * 1_048_000)
    world.say(task, "after")
    page = world.of_run(run)
    seen = [page]
    while page.previous_cursor:
        page = world.of_run(run, page.previous_cursor)
        seen.insert(0, page)
    lines = [text for page in seen for text in texts(page)]
    assert [lines[0], lines[-1], len(lines)] == ["before", "after", 3]
    assert lines[1].endswith("too long for one answer]")
    assert max(_encoded(page) for page in seen) < 5_500_000


def test_throttling_after_the_first_page_is_a_partial_answer(world: World) -> None:
    """The lines read so far are returned; if the first call is throttled, Unavailable is raised."""
    world.try_once()
    run = world.run()
    task = world.start(run, "a" * 32)
    world.put(task, [(world.ms + n, f"{n:04d}" + "x" * 1_000) for n in range(3_000)])
    world.cloudwatch.refuse_next("GetLogEvents", "ThrottlingException", after=1)
    page = world.of_run(run, limit=3_000)
    assert page.is_partial
    assert texts(page)[-1][:4] == "2999"
    rest = world.of_run(run, page.previous_cursor, limit=3_000)
    assert len(rest.lines) + len(page.lines) == 3_000
    world.cloudwatch.refuse_next("GetLogEvents", "ThrottlingException")
    with pytest.raises(Unavailable):
        world.of_run(run)


def test_no_page_is_read_without_time_left_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reading, "SLACK", log_reading.SECONDS + 1)
    run = world.run()
    world.put(world.start(run, "a" * 32), [(world.ms, "x" * 1_000)] * 1_500)
    page = world.of_run(run, limit=1_500)
    assert page.is_partial and world.calls == {"GetLogEvents": 1}
    with world.clock.deadline(0), pytest.raises(Unavailable):
        world.of_run(run)


def test_a_page_holds_ten_thousand_lines_at_most(world: World) -> None:
    run = world.run()
    world.put(world.start(run, "a" * 32), [(world.ms, f"{n:05d}") for n in range(12_000)])
    page = world.of_run(run, limit=UP_TO)
    assert texts(page) == [f"{n:05d}" for n in range(2_000, 12_000)]
    assert texts(world.of_run(run, page.previous_cursor, limit=UP_TO)) == [
        f"{n:05d}" for n in range(2_000)
    ]
