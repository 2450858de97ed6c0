"""CPU and memory of runs and jobs: units, windows, periods, and each metric's own status."""

from __future__ import annotations

import contextlib
import math
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from moto import mock_aws

from chalicelib import clock
from chalicelib.domain.errors import BadRequest, Unavailable
from chalicelib.http import views
from chalicelib.http.queries import MetricsQuery
from chalicelib.settings import read_settings
from chalicelib.system import System
from chalicelib.tables.run_records import Run
from chalicelib.usecases.metrics import MAX_POINTS, MetricsResult, span_of
from infra.local.fidelity.metrics import MetricsFidelity

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
JOB = "job_01KAR0000000000000000000AA"
ARN = "arn:aws:ecs:eu-central-1:123456789012:task/jobyard-test/"
MIB = 1_048_576
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class WorldClock(clock.Clock):
    """The world's own time."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.now


class World:
    """What Container Insights would publish, and the use-cases that read it."""

    def __init__(self, cloudwatch: MetricsFidelity) -> None:
        self.cloudwatch = cloudwatch
        self.now = NOON
        self.clock = WorldClock(self)
        self.system = System(read_settings(os.environ), self.clock)
        self.client: Any = self.system.clients.get("cloudwatch")
        self.calls: Counter[str] = Counter()

    def sample(
        self, at: datetime, task: str, *, cores: float, mib: float, minutes: int = 1
    ) -> None:
        """One sample a minute of a task, under both of its sets of dimensions."""
        family = {
            "ClusterName": self.system.settings.cluster,
            "TaskDefinitionFamily": self.system.settings.family(JOB),
        }
        data = [
            {
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in of.items()],
                "Timestamp": at + minute * MINUTE,
                "Value": value,
                "Unit": unit,
            }
            for minute in range(minutes)
            for of in (family, {**family, "TaskId": task})
            for name, value, unit in (
                ("CpuUtilized", cores * 1_024, "None"),
                ("MemoryUtilized", mib, "Megabytes"),
            )
        ]
        for first in range(0, len(data), 1_000):
            self.client.put_metric_data(
                Namespace="ECS/ContainerInsights", MetricData=data[first : first + 1_000]
            )

    def job(self, **query: Any) -> MetricsResult:
        with self.counting():
            asked = MetricsQuery(**query)
            return self.system.metrics.of_job(JOB, asked.window, asked.names)

    def run(self, run: Run, **query: Any) -> MetricsResult:
        with self.counting():
            asked = MetricsQuery(**query)
            return self.system.metrics.of_run(run, asked.window, asked.names)

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """`calls` is what CloudWatch was asked inside."""
        self.calls.clear()
        events = self.client.meta.events

        def note(model: Any, **_: Any) -> None:
            self.calls[model.name] += 1

        events.register("before-call.*.*", note)
        try:
            yield
        finally:
            events.unregister("before-call.*.*", note)


@pytest.fixture
def world() -> Iterator[World]:
    clock: list[World] = []
    with mock_aws(), MetricsFidelity.install(now=lambda: clock[0].now) as cloudwatch:
        clock.append(World(cloudwatch))
        yield clock[0]


def shown(result: MetricsResult) -> dict[str, Any]:
    """Each metric as the API answers it."""
    return dict(views.metrics(result)["metrics"])


def points(result: MetricsResult, name: str) -> list[tuple[str, float]]:
    metric = shown(result)[name]
    assert metric["status"] == "success"
    return [(point["timestamp"][11:19], round(point["value"], 6)) for point in metric["points"]]


def a_run(**fields: Any) -> Run:
    run = Run(JOB, "run_A", attempt=1, live="run_A", created_at=NOON, status="running")
    for name, value in fields.items():
        setattr(run, name, value)
    return run


# --- what the numbers are -------------------------------------------------------------------


def test_a_job_shows_average_cores_and_total_bytes_of_its_tasks(world: World) -> None:
    """Two at once in the second minute: the cores are averaged, the bytes added up."""
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
    """Two tasks of 100 MiB are 200 MiB, whether by the minute or by the quarter of a day."""
    for task in ("a", "b"):
        world.sample(NOON - 6 * HOUR, task, cores=0.25, mib=100, minutes=360)
    result = world.job(start=NOON - window)
    assert result.period_seconds == period
    values = [value for _, value in points(result, "memory_usage")]
    assert values and set(values) == {200 * MIB}
    assert {value for _, value in points(result, "cpu_usage")} == {0.25}
    assert world.calls == {"GetMetricData": 1}


def test_a_short_run_is_not_thinned_out_by_a_long_period(world: World) -> None:
    """Five minutes of 100 MiB are 100 MiB in a quarter of an hour, not a third of it."""
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
    """The start is, and a window that begins within a minute includes it."""
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
    """Attempts follow one another; another run of the job at the same time is left out."""
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


def test_a_run_that_lasted_seconds_shows_the_minute_it_was_sampled_in(world: World) -> None:
    """Also where its last sample is stamped after its end."""
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


def test_a_part_of_a_runs_life_can_be_asked_for(world: World) -> None:
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
def test_a_metric_fails_alone(world: World, status: str, code: str) -> None:
    world.sample(NOON - 5 * MINUTE, "a", cores=1.0, mib=100)
    world.cloudwatch.statuses["CpuUtilized"] = status
    for result in (world.job(), world.run(a_run(task_arn=ARN + "a", created_at=NOON - HOUR))):
        assert not result.is_complete
        assert shown(result)["cpu_usage"]["status"] == "error"
        assert shown(result)["cpu_usage"]["code"] == code
        assert points(result, "memory_usage") == [("11:55:00", 100 * MIB)]


def test_an_unknown_name_fails_alone(world: World) -> None:
    """In the order asked for, each name once; nothing but unknown ones costs no call."""
    world.sample(NOON - 5 * MINUTE, "a", cores=1.0, mib=100)
    result = world.job(names=["disk", "cpu_usage", " cpu_usage"])
    assert list(result.metrics) == ["disk", "cpu_usage"]
    assert shown(result)["disk"]["code"] == "unknown_metric"
    assert "memory_usage" in shown(result)["disk"]["message"]
    assert points(result, "cpu_usage") == [("11:55:00", 1.0)]
    result = world.job(names=["disk"])
    assert not result.is_complete and world.calls == {}


def test_throttling_fails_the_whole_request(world: World) -> None:
    """It is worth another try, unlike a metric that failed."""
    with world.clock.deadline(0), pytest.raises(Unavailable):
        world.job()


# --- windows and periods --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "length", "period", "grain"),
    [
        (HOUR, HOUR, 60, 60),
        (6 * HOUR, 6 * HOUR, 60, 60),
        (6 * HOUR + MINUTE, 6 * HOUR + MINUTE, 300, 60),
        (14 * DAY, HOUR, 60, 60),
        (16 * DAY, HOUR, 300, 300),
        (4 * DAY, 4 * DAY, 300, 60),
        (6 * DAY, 6 * DAY, 900, 60),
        (16 * DAY, 16 * DAY, 3_600, 300),
        (64 * DAY, HOUR, 3_600, 3_600),
        (400 * DAY, 400 * DAY, 86_400, 3_600),
        (4_000 * DAY, 4_000 * DAY, 86_400, 3_600),
    ],
)
def test_the_period_follows_the_window(
    age: timedelta, length: timedelta, period: int, grain: int
) -> None:
    """60 s up to 6 h, then coarser; and never finer than what CloudWatch still keeps."""
    span = span_of(NOON - age, NOON - age + length, NOON)
    assert (span.period, span.grain) == (period, grain)


@given(
    age=st.timedeltas(timedelta(0), 5_000 * DAY),
    length=st.timedeltas(timedelta(milliseconds=1), 5_000 * DAY),
)
@hypothesis_settings(max_examples=300, derandomize=True, deadline=None, database=None)
def test_no_window_asks_for_too_much_or_for_what_is_gone(age: timedelta, length: timedelta) -> None:
    start, end = NOON - age, NOON - age + length
    span = span_of(start, end, NOON)
    seconds = timedelta(seconds=1)
    if span.start < span.end:
        assert math.ceil((span.end - span.start) / (span.period * seconds)) <= MAX_POINTS
        assert span.start.timestamp() % span.period == 0
        assert span.end.timestamp() % 60 == 0
        kept_from = NOON - timedelta(days=455)
        assert kept_from <= span.start
        assert span.start <= max(start, kept_from + DAY) < span.start + span.period * seconds
        assert span.period % span.grain == 0
        finest = {60: 15, 300: 63, 3_600: 455}[span.grain]
        assert NOON - span.start <= finest * DAY
        assert (span.end - span.start) / (span.grain * seconds) <= 50_000  # of 100,800


@pytest.mark.parametrize(
    "query",
    [
        {"start": NOON + HOUR, "end": NOON + 2 * HOUR},
        {"start": NOON - 900 * DAY, "end": NOON - 800 * DAY},
    ],
)
def test_a_window_of_which_nothing_can_be_kept_is_empty(
    world: World, query: dict[str, Any]
) -> None:
    """Ahead of now, or longer ago than CloudWatch keeps anything."""
    result = world.job(**query)
    assert result.is_complete and points(result, "cpu_usage") == []
    assert world.calls == {}


# --- CloudWatch, as the fidelity layer has it -----------------------------------------------


def get(world: World, start: datetime, end: datetime, period: int, **request: Any) -> list[Any]:
    family = [
        {"Name": "ClusterName", "Value": world.system.settings.cluster},
        {"Name": "TaskDefinitionFamily", "Value": world.system.settings.family(JOB)},
    ]
    metric = {
        "Namespace": "ECS/ContainerInsights",
        "MetricName": "CpuUtilized",
        "Dimensions": request.pop("dimensions", family),
    }
    stat = {"Metric": metric, "Period": period, "Stat": "Sum"}
    answer = world.client.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": stat}],
        StartTime=start,
        EndTime=end,
        **request,
    )
    (result,) = answer["MetricDataResults"]
    return [f"{at:%H:%M}" for at in result["Timestamps"]]


def test_metric_data_comes_newest_first_unless_told(world: World) -> None:
    world.sample(NOON - 3 * MINUTE, "a", cores=1, mib=1, minutes=3)
    assert get(world, NOON - 3 * MINUTE, NOON - MINUTE, 60) == ["11:58", "11:57"]
    oldest = {"ScanBy": "TimestampAscending"}
    assert get(world, NOON - 3 * MINUTE, NOON - MINUTE, 60, **oldest) == ["11:57", "11:58"]


def test_dimensions_match_as_a_whole(world: World) -> None:
    world.sample(NOON - 3 * MINUTE, "a", cores=1, mib=1)
    cluster = [{"Name": "ClusterName", "Value": world.system.settings.cluster}]
    assert get(world, NOON - HOUR, NOON, 60, dimensions=cluster) == []


def test_a_period_finer_than_what_is_kept_answers_nothing(world: World) -> None:
    old = NOON - 16 * DAY
    world.sample(old, "a", cores=1, mib=1, minutes=10)
    assert get(world, old, old + HOUR, 60) == []
    assert get(world, old, old + HOUR, 300, ScanBy="TimestampAscending") == ["12:00", "12:05"]


def test_requests_that_cloudwatch_refuses_are_refused(world: World) -> None:
    for start, end, period in ((NOON, NOON, 60), (NOON - HOUR, NOON, 90)):
        with pytest.raises(ClientError):
            get(world, start, end, period)
