"""CPU and memory of runs and jobs: units, windows, and the status of each metric."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.errors import BadRequest, Unavailable
from tests.metrics.metric_world import (
    ARN,
    DAY,
    HOUR,
    MIB,
    MINUTE,
    NOON,
    World,
    a_run,
    points,
    shown,
)


def test_a_job_shows_average_cores_and_total_bytes_of_its_tasks(world: World) -> None:
    """While two tasks run, the cores are their average and the bytes their sum."""
    world.sample(NOON - 5 * MINUTE, "a", cores=1.0, mib=100, minutes=2)
    world.sample(NOON - 4 * MINUTE, "b", cores=0.5, mib=50)
    result = world.job()
    assert points(result, "cpu_usage") == [("11:55:00", 1.0), ("11:56:00", 0.75)]
    assert points(result, "memory_usage") == [("11:55:00", 100 * MIB), ("11:56:00", 150 * MIB)]
    assert result.is_complete
    assert world.calls == {"GetMetricData": 1}
    assert (result.start, result.end, result.period_seconds) == (NOON - HOUR, NOON, 60)
    units = {name: metric["unit"] for name, metric in shown(result).items()}
    assert units == {"cpu_usage": "cores", "memory_usage": "bytes"}


@pytest.mark.parametrize(
    ("window", "period"),
    [(5 * HOUR, 60), (12 * HOUR, 300), (10 * DAY, 900), (30 * DAY, 3_600), (90 * DAY, 21_600)],
)
def test_the_total_of_memory_stays_a_total_at_every_period(
    world: World, window: timedelta, period: int
) -> None:
    """Two tasks of 100 MiB have 200 MiB, with a period of a minute as of six hours."""
    for task in ("a", "b"):
        world.sample(NOON - 6 * HOUR, task, cores=0.25, mib=100, minutes=360)
    result = world.job(start=NOON - window)
    assert result.period_seconds == period
    values = [value for _, value in points(result, "memory_usage")]
    assert values and set(values) == {200 * MIB}
    assert {value for _, value in points(result, "cpu_usage")} == {0.25}
    assert world.calls == {"GetMetricData": 1}


def test_a_short_run_is_not_thinned_out_by_a_long_period(world: World) -> None:
    """Five minutes with 100 MiB give 100 MiB for a quarter of an hour, not a third of it."""
    world.sample(NOON - 3 * DAY, "a", cores=1.0, mib=100, minutes=5)
    result = world.job(start=NOON - 10 * DAY)
    assert result.period_seconds == 900
    assert points(result, "memory_usage") == [("12:00:00", 100 * MIB)]
    assert points(result, "cpu_usage") == [("12:00:00", 1.0)]


def test_no_data_is_an_empty_list_and_never_a_zero(world: World) -> None:
    result = world.job()
    assert points(result, "cpu_usage") == points(result, "memory_usage") == []
    assert result.is_complete


def test_a_point_at_the_end_is_not_in_the_window(world: World) -> None:
    """The start is in the window; a start within a minute includes that minute's point."""
    world.sample(NOON - 10 * MINUTE, "a", cores=1.0, mib=1, minutes=10)
    window = {"start": NOON - 8 * MINUTE, "end": NOON - 6 * MINUTE}
    expected = [("11:52:00", 1.0), ("11:53:00", 1.0)]
    assert points(world.job(**window), "cpu_usage") == expected
    window = {"start": NOON - 8 * MINUTE + timedelta(seconds=30), "end": NOON - 6 * MINUTE}
    assert points(world.job(**window), "cpu_usage") == expected
    window = {"start": NOON - 8 * MINUTE, "end": NOON - 7 * MINUTE + timedelta(seconds=1)}
    assert points(world.job(**window), "cpu_usage") == expected


# --- a run ----------------------------------------------------------------------------------


def test_a_run_shows_its_own_tasks_over_its_whole_life(world: World) -> None:
    """The tasks of all attempts are shown; another run of the job at the same time is left out."""
    first = {"attempt": 1, "task_arn": ARN + "a", "finished_at": (NOON + 2 * MINUTE).isoformat()}
    run = a_run(
        attempt=2, task_arn=ARN + "b", past_attempts=[first], started_at=NOON, status="running"
    )
    world.sample(NOON, "a", cores=1.0, mib=100, minutes=2)
    world.sample(NOON + 3 * MINUTE, "b", cores=0.5, mib=300, minutes=2)
    world.sample(NOON, "other", cores=4.0, mib=4_000, minutes=5)
    world.now = NOON + 5 * MINUTE
    result = world.run(run)
    assert points(result, "cpu_usage") == [
        ("12:00:00", 1.0),
        ("12:01:00", 1.0),
        ("12:03:00", 0.5),
        ("12:04:00", 0.5),
    ]
    assert [value for _, value in points(result, "memory_usage")] == [
        100 * MIB,
        100 * MIB,
        300 * MIB,
        300 * MIB,
    ]
    assert world.calls == {"GetMetricData": 1}


def test_a_run_shows_its_interrupted_tasks_and_asks_about_none_that_did_not_start(
    world: World,
) -> None:
    """They are the points of one attempt, read by the same call."""
    interrupted = {"task_arn": ARN + "a", "finished_at": (NOON + 2 * MINUTE).isoformat()}
    run = a_run(spent_tasks=[interrupted, ARN + "x"], task_arn=ARN + "b", started_at=NOON)
    for minute, (task, cores) in enumerate((("a", 1.0), ("x", 2.0), ("b", 3.0))):
        world.sample(NOON + minute * MINUTE, task, cores=cores, mib=100)
    world.now = NOON + 5 * MINUTE
    shown = points(world.run(run), "cpu_usage")
    assert shown == [("12:00:00", 1.0), ("12:02:00", 3.0)]
    assert world.calls == {"GetMetricData": 1}


def test_a_run_that_lasted_seconds_shows_the_minute_it_was_sampled_in(world: World) -> None:
    """Its sample may have a timestamp after the run's end."""
    run = a_run(
        task_arn=ARN + "a",
        started_at=NOON + timedelta(seconds=50),
        finished_at=NOON + timedelta(seconds=55),
        live=None,
    )
    world.sample(NOON + MINUTE, "a", cores=0.9, mib=100)
    world.now = NOON + 3 * HOUR
    result = world.run(run)
    assert points(result, "cpu_usage") == [("12:01:00", 0.9)]
    assert result.end == NOON + timedelta(seconds=55)


def test_a_run_without_a_task_has_no_points_and_costs_no_call(world: World) -> None:
    result = world.run(a_run())
    assert points(result, "cpu_usage") == []
    assert world.calls == {}


def test_a_run_keeps_its_values_at_long_periods(world: World) -> None:
    run = a_run(task_arn=ARN + "a", started_at=NOON)
    world.sample(NOON, "a", cores=0.5, mib=100, minutes=600)
    world.now = NOON + 10 * HOUR
    result = world.run(run)
    assert result.period_seconds == 300
    assert {value for _, value in points(result, "memory_usage")} == {100 * MIB}
    assert {value for _, value in points(result, "cpu_usage")} == {0.5}
    assert len(points(result, "cpu_usage")) == 120


def test_a_window_within_a_runs_life_can_be_read(world: World) -> None:
    run = a_run(task_arn=ARN + "a", started_at=NOON)
    world.sample(NOON, "a", cores=0.5, mib=100, minutes=30)
    world.now = NOON + 30 * MINUTE
    since = world.run(run, since=timedelta(minutes=2))
    assert points(since, "cpu_usage") == [("12:28:00", 0.5), ("12:29:00", 0.5)]
    until = world.run(run, end=NOON + 2 * MINUTE)
    assert points(until, "cpu_usage") == [("12:00:00", 0.5), ("12:01:00", 0.5)]
    before = world.run(run, end=NOON - HOUR)
    assert points(before, "cpu_usage") == []
    with pytest.raises(BadRequest, match="must be before"):
        world.run(run, start=NOON, end=NOON)


# --- each metric's own status ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("PartialData", "partial_data"),
        ("InternalError", "internal_error"),
        ("Forbidden", "forbidden"),
    ],
)
def test_one_failing_metric_leaves_the_others(world: World, status: str, code: str) -> None:
    world.sample(NOON - 5 * MINUTE, "a", cores=1.0, mib=100)
    world.cloudwatch.statuses["CpuUtilized"] = status
    for result in (world.job(), world.run(a_run(task_arn=ARN + "a", created_at=NOON - HOUR))):
        assert not result.is_complete
        assert shown(result)["cpu_usage"]["status"] == "error"
        assert shown(result)["cpu_usage"]["code"] == code
        assert points(result, "memory_usage") == [("11:55:00", 100 * MIB)]


def test_an_unknown_metric_name_leaves_the_others(world: World) -> None:
    """The order is the caller's, each name comes once, and unknown names alone cost no call."""
    world.sample(NOON - 5 * MINUTE, "a", cores=1.0, mib=100)
    result = world.job(names=["disk", "cpu_usage", " cpu_usage"])
    assert list(result.metrics) == ["disk", "cpu_usage"]
    assert shown(result)["disk"]["code"] == "unknown_metric"
    assert "memory_usage" in shown(result)["disk"]["message"]
    assert points(result, "cpu_usage") == [("11:55:00", 1.0)]
    result = world.job(names=["disk"])
    assert not result.is_complete and world.calls == {}


def test_throttling_fails_the_whole_request(world: World) -> None:
    """The whole request may be tried again, unlike a metric with an error of its own."""
    with world.clock.deadline(0), pytest.raises(Unavailable):
        world.job()
