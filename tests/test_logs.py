"""Reading the lines of runs and jobs: windows, cursors both ways, limits, filters, costs."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from moto.logs.models import LogEvent, LogStream, logs_backends

from chalicelib.domain.errors import BadRequest, Unavailable
from chalicelib.http import views
from chalicelib.usecases import log_reading
from chalicelib.usecases.logs import LogPage
from tests.log_world import ARN, START, UP_TO, World, make_world, texts


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as made:
        yield made


def numbered(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


# --- the newest lines of a window -----------------------------------------------------------


def test_the_newest_lines_come_in_time_order_for_one_call(world: World) -> None:
    """A run's last 100 lines cost one call to CloudWatch, however many there are."""
    run = world.run()
    task = world.start(run, "a" * 32)
    world.put(task, [(world.ms + n, str(n)) for n in range(20_000)])
    world.move(minutes=1)
    page = world.of_run(run, limit=100)
    assert texts(page) == numbered(19_900, 19_999)
    assert world.calls == {"GetLogEvents": 1}
    line = views.log_line(page.lines[-1])
    assert line == {
        "timestamp": "2026-11-23T12:00:19.999Z",
        "message": "19999",
        "run_id": run.run_id,
        "attempt": 1,
    }


def test_a_window_includes_its_start_and_not_its_end(world: World) -> None:
    """With a filter and without: CloudWatch's two operations disagree on the end."""
    run = world.run()
    task = world.start(run, "a" * 32)
    world.put(task, [(world.ms + n, f"line {n}") for n in range(10)])
    world.move(minutes=1)
    window: dict[str, Any] = {
        "start": START + timedelta(milliseconds=2),
        "end": START + timedelta(milliseconds=5),
    }
    expected = ["line 2", "line 3", "line 4"]
    assert texts(world.of_run(run, **window)) == expected
    assert texts(world.of_run(run, filter="line", **window)) == expected
    assert texts(world.of_job(**window)) == expected
    since = timedelta(minutes=1) - timedelta(milliseconds=8)
    assert texts(world.of_run(run, since=since)) == ["line 8", "line 9"]


def test_a_job_shows_its_last_day_unless_asked_for_more(world: World) -> None:
    run = world.run()
    task = world.start(run, "a" * 32)
    world.say(task, "yesterday")
    world.move(hours=24, seconds=1)
    world.say(task, "today")
    assert texts(world.of_job()) == ["today"]
    assert texts(world.of_job(since=timedelta(hours=25))) == ["yesterday", "today"]
    assert texts(world.of_run(run)) == ["yesterday", "today"]


def test_lines_of_a_job_name_their_run_and_attempt(world: World) -> None:
    """Merged by time, whichever run wrote them; of a task that nobody knows, nothing is said."""
    first, second = world.run("run_A"), world.run("run_B")
    world.start(first, "a" * 32)
    world.start(second, "b" * 32)
    world.put("a" * 32, [(world.ms + 1, "1"), (world.ms + 3, "3")])
    world.put("b" * 32, [(world.ms + 2, "2"), (world.ms + 4, "4")])
    world.end_attempt(first, retry=True)
    world.start(first, "c" * 32)
    world.put("c" * 32, [(world.ms + 5, "5")])
    del world.tasks["b" * 32]
    page = world.of_job()
    assert [(line.message, line.run_id, line.attempt) for line in page.lines] == [
        ("1", "run_A", 1),
        ("2", None, None),
        ("3", "run_A", 1),
        ("4", None, None),
        ("5", "run_A", 2),
    ]
    assert world.calls == {"FilterLogEvents": 1}


def test_a_runs_lines_are_its_own_alone(world: World) -> None:
    first, second = world.run("run_A"), world.run("run_B")
    world.say(world.start(first, "a" * 32), "mine")
    world.say(world.start(second, "b" * 32), "theirs")
    assert texts(world.of_run(first)) == ["mine"]
    assert texts(world.of_run(first, filter="e")) == ["mine"]


def test_ten_thousand_streams_do_not_slow_the_last_minute(world: World) -> None:
    """The number of calls does not follow the history."""
    group = logs_backends["123456789012"]["eu-central-1"].groups[world.group]
    for n in range(10_000):
        stream = LogStream(group, f"run/main/{n:032d}")
        old = {"timestamp": world.ms - 3_600_000 + n, "message": "old"}
        stream.events = [LogEvent(world.ms, old)]
        group.streams[stream.log_stream_name] = stream
    run = world.run()
    world.say(world.start(run, "a" * 32), "new")
    page = world.of_job(since=timedelta(minutes=1))
    assert texts(page) == ["new"]
    assert world.calls == {"FilterLogEvents": 1}


# --- nothing there --------------------------------------------------------------------------


def test_a_run_without_a_task_has_no_lines_and_can_be_followed(world: World) -> None:
    """From the first line on, whenever it comes."""
    run = world.run()
    page = world.of_run(run)
    assert (page.lines, page.previous_cursor, page.is_partial) == ([], None, False)
    assert world.calls == {}
    world.say(world.start(run, "a" * 32), "first")
    assert texts(world.of_run(run, page.next_cursor)) == ["first"]


def test_a_stream_or_a_group_that_is_not_there_is_empty(world: World) -> None:
    run = world.run()
    run.task_arn = ARN + "a" * 32
    for found in (world.of_run(run), world.of_run(run, filter="x"), world.of_job()):
        assert found.lines == [] and found.next_cursor is not None
    world.client.delete_log_group(logGroupName=world.group)
    for found in (world.of_run(run), world.of_run(run, filter="x"), world.of_job()):
        assert found.lines == [] and found.previous_cursor is None


def test_following_begins_before_the_first_line(world: World) -> None:
    """The forward token of an empty page, which lies hours ahead, is not what is followed."""
    run = world.run()
    task = world.start(run, "a" * 32)
    page = world.of_run(run)
    for n in range(3):
        world.move(seconds=10)
        world.say(task, str(n))
        page = world.of_run(run, page.next_cursor)
        assert texts(page) == [str(n)]
        page = world.of_run(run, page.next_cursor)
        assert texts(page) == []


# --- following ------------------------------------------------------------------------------


def test_following_loses_and_repeats_nothing_within_a_millisecond(world: World) -> None:
    """Pages smaller than what shares a timestamp, and lines that are added to it later."""
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
    """Across attempts, also one that starts while it is being followed."""
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
    """A task that failed to start is replaced within the attempt."""
    run = world.run()
    world.say(world.start(run, "a" * 32), "never mind")
    page = world.of_run(run)
    world.say(world.start(run, "b" * 32), "here")
    assert texts(world.of_run(run, page.next_cursor)) == ["here"]
    assert page.next_cursor is not None
    back = {**page.next_cursor, "back": True}
    assert texts(world.of_run(run, back)) == ["here"]


def test_nothing_more_can_come_once_a_run_is_over_and_read(world: World) -> None:
    """A cancelled run whose container may still write is not over yet."""
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
    """Each poll reads from the last line or the last two minutes on."""
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
    """By pages, across attempts, for a run and for its job; null at the beginning."""
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


def test_a_page_that_was_followed_to_can_be_left_backwards(world: World) -> None:
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


# --- filters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ['"', "\\", '\\"', '"quoted" \\ back', "a b", "-minus", "?maybe", "{ $.x = 1 }", "[a, b]",
     "%regex%", "ünïcode ☃", "tab\there", "*", "'single'", "$.x", "Case"],
)  # fmt: skip
def test_any_text_is_a_safe_filter(world: World, text: str) -> None:
    """What means something in a pattern is found as it is, and nothing else is."""
    run = world.run()
    task = world.start(run, "a" * 32)
    world.say(task, f"before {text} after", "another line", "case", text[:-1] or "short")
    found = [f"before {text} after"]
    assert texts(world.of_run(run, filter=text)) == found
    assert texts(world.of_job(filter=text)) == found


def test_a_cursor_keeps_its_filter(world: World) -> None:
    """It may be repeated or left out, but not changed."""
    run = world.run()
    task = world.start(run, "a" * 32)
    world.say(task, "keep 1", "drop 2")
    page = world.of_run(run, filter="keep")
    world.move(seconds=1)
    world.say(task, "keep 3", "drop 4")
    assert texts(world.of_run(run, page.next_cursor)) == ["keep 3"]
    assert texts(world.of_run(run, page.next_cursor, filter="keep")) == ["keep 3"]
    with pytest.raises(BadRequest, match="another filter"):
        world.of_run(run, page.next_cursor, filter="drop")


# --- bounds ---------------------------------------------------------------------------------


def test_a_search_through_very_much_ends_early_and_says_so(world: World) -> None:
    """After 50 pages without a match; its cursors go on from there, until all is found."""
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
    """Also when the range of an unfinished search ended before what was written since."""
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


def test_silent_hours_are_passed_over(world: World) -> None:
    """CloudWatch cuts pages by time too: empty pages in between are not the end."""
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


def test_a_gap_too_long_for_one_request_is_passed_in_several(world: World) -> None:
    """Back at once; forwards only once the run is over, for before that it might lose a line."""
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
    """Of more lines than fit, as much as does; the cursors go on exactly, in both directions."""
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
    """A megabyte of control characters is over Lambda's limit once it is encoded twice."""
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
    """What was read is not thrown away; throttled from the beginning it is Unavailable."""
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


def test_no_page_is_begun_without_time_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reading, "SLACK", log_reading.SECONDS + 1)
    run = world.run()
    world.put(world.start(run, "a" * 32), [(world.ms, "x" * 1_000)] * 1_500)
    page = world.of_run(run, limit=1_500)
    assert page.is_partial and world.calls == {"GetLogEvents": 1}
    with world.clock.deadline(0), pytest.raises(Unavailable):
        world.of_run(run)


# --- cursors are input ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"token": "f/1"},
        {"token": ""},
        {"token": 5},
        {"start": -1},
        {"start": "yesterday"},
        {"end": 2**70},
        {"attempt": "a"},
        {"range": [1]},
        {"range": [-5, 7]},
        {"unknown": 1},
        {"back": None},
    ],
)
def test_a_forged_cursor_is_a_bad_request(world: World, change: dict[str, Any]) -> None:
    run = world.run()
    world.say(world.start(run, "a" * 32), "1")
    cursor = world.of_run(run).next_cursor
    assert cursor is not None
    with pytest.raises(BadRequest):
        world.of_run(
            run, {**cursor, **change} | ({"token": "x/1"} if "f/1" in change.values() else {})
        )


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": 0, "task": "", "back": True},
        {"task": "elsewhere", "attempt": 9},
        {"time": 0, "event": "nothing"},
        {"time": 2**53, "token": None},
        {"range": [9, 3]},
        {"start": 2**53},
    ],
)
def test_a_cursor_cannot_lead_out_of_what_it_is_used_on(
    world: World, change: dict[str, Any]
) -> None:
    """Whatever it says, only the lines of the run or job it is used on are read."""
    mine, other = world.run("run_A"), world.run("run_B")
    world.say(world.start(mine, "a" * 32), "mine")
    world.say(world.start(other, "b" * 32), "theirs")
    queries: list[dict[str, Any]] = [{}, {"filter": "e"}]
    for query in queries:
        cursor = world.of_run(mine, **query).next_cursor
        assert cursor is not None
        for back in (True, False):
            kept = {key: value for key, value in cursor.items() if key != "token" or not back}
            page = world.of_run(mine, {**kept, "back": back, **change})
            assert set(texts(page)) <= {"mine"}


def test_a_page_holds_ten_thousand_lines_at_most(world: World) -> None:
    run = world.run()
    world.put(world.start(run, "a" * 32), [(world.ms, f"{n:05d}") for n in range(12_000)])
    page = world.of_run(run, limit=UP_TO)
    assert texts(page) == [f"{n:05d}" for n in range(2_000, 12_000)]
    assert texts(world.of_run(run, page.previous_cursor, limit=UP_TO)) == [
        f"{n:05d}" for n in range(2_000)
    ]
