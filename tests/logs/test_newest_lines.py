"""The newest lines of a window, of a run and of a job, and the answer where there are none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.logs.models import LogEvent, LogStream, logs_backends

from chalicelib.http import views
from tests.logs.log_world import ARN, START, World, numbered, texts


def test_the_newest_lines_come_in_time_order_for_one_call(world: World) -> None:
    """The last 100 lines of a run cost one call to CloudWatch, however many lines there are."""
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
    """
    This holds with and without a filter, although CloudWatch's two operations treat the end
    differently.
    """
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
    """Lines are merged by time; a line of an unknown task has neither run nor attempt."""
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
    """The number of calls does not grow with the number of old streams."""
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
    """Following it returns the first line when there is one."""
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
    """The forward token of an empty page lies hours ahead, so following does not use it."""
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
