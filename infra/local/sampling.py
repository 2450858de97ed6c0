"""
CPU and memory of running tasks, published as Container Insights does.

Container Insights gives one sample per task and minute, and the API reads them so (CPU as
`Average`, memory as `Sum`, at 60 s). So each task publishes one datapoint a minute: the average
CPU over the part of the minute that it ran, and the upper quartile of its memory in it, at the
minute's end, and for the last, begun minute when it exits. On Fargate a run of less than a minute
may have none; here also one of a few seconds has its point, since it is sampled twice a second.

The upper quartile is what a task held: the maximum may be a copy that lasted a moment, and the
average of a task that computes before it loads its data is neither of what it held.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.local.engines import Engine, Exit, Running, Usage
from infra.local.task_spec import Spec

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.literals import StandardUnitType
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef

NAMESPACE = "ECS/ContainerInsights"
EVERY = 0.5
CLOSE_SECONDS = 2
PUT_LIMIT = 1000
"""Datapoints that one PutMetricData takes (CloudWatch API reference)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Point:
    """One minute of one task."""

    at: float
    """Epoch seconds of the minute's last reading, so that it lies within the task's life."""
    cpu_units: float
    memory_bytes: int


class Meter:
    """One task's readings, folded into a point per minute of the clock."""

    def __init__(self, started_at: float, *, is_exact: bool = True) -> None:
        """
        `is_exact`: whether the task began at that time. Where it may have begun before, its first
        reading is the beginning, if there is a second one.
        """
        self._is_beginning = not is_exact
        self._minute = int(started_at // 60)
        self._since, self._cpu_at_since = started_at, 0.0
        self._at, self._cpu = started_at, 0.0
        self._memory: list[int] = []

    def read(self, now: float, usage: Usage) -> Point | None:
        """Take a reading; the first of a new minute answers the point of the one before."""
        point = None
        if self._is_beginning and self._memory:
            self._since, self._cpu_at_since = self._at, self._cpu
            self._is_beginning = False
        if int(now // 60) != self._minute:
            point = self.end()
            self._minute = int(now // 60)
            self._since, self._cpu_at_since, self._memory = self._at, self._cpu, []
        self._at, self._cpu = now, usage.cpu_seconds
        self._memory.append(usage.memory_bytes)
        return point

    def end(self, now: float | None = None, cpu_seconds: float | None = None) -> Point | None:
        """The minute so far, or None if nothing was read in it; with the exact end if known."""
        if not self._memory:
            return None
        at, cpu = self._at, self._cpu
        if now is not None and cpu_seconds is not None and now // 60 == self._minute:
            at, cpu = now, cpu_seconds
        cores = (cpu - self._cpu_at_since) / max(at - self._since, 0.001)
        held = sorted(self._memory)[round(0.75 * (len(self._memory) - 1))]
        return Point(at, cores * 1024, held)


class Sampler:
    """One thread that reads all running tasks twice a second."""

    def __init__(self, engine: Engine, client: Callable[[], CloudWatchClient]) -> None:
        self._engine = engine
        self._client = client
        self._lock = threading.Lock()
        self._meters: dict[str, tuple[Spec, Running, Meter]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="sampler", daemon=True)
        self._thread.start()

    def add(self, spec: Spec, running: Running) -> None:
        with self._lock:
            meter = Meter(time.time(), is_exact=self._engine.answers_at_start)
            self._meters[spec.task_id] = (spec, running, meter)

    def drop(self, spec: Spec) -> Meter:
        """Read it no more."""
        with self._lock:
            return self._meters.pop(spec.task_id)[2]

    def finish(self, spec: Spec, exit_: Exit) -> None:
        """The task has exited: publish its last minute before anyone can see it stopped."""
        if (point := self.drop(spec).end(exit_.at, exit_.cpu_seconds)) is not None:
            self._publish([(spec, point)])

    def close(self) -> None:
        """Its thread may be left, for seconds, within a call of an engine that hangs."""
        self._stopping.set()
        self._thread.join(CLOSE_SECONDS)

    def _loop(self) -> None:
        while not self._stopping.wait(EVERY):
            try:
                self.sample()
            except Exception:
                log.exception("a round of samples failed; the next one is in %s s", EVERY)

    def sample(self) -> None:
        """One round: read all, and publish the points of minutes that are over."""
        with self._lock:
            meters = list(self._meters.values())
        if not meters:
            return
        usages = self._engine.measure([running for _, running, _ in meters])
        points = []
        for (spec, _, meter), usage in zip(meters, usages, strict=True):
            with self._lock:
                point = None
                if usage is not None and spec.task_id in self._meters:
                    point = meter.read(time.time(), usage)
            if point is not None:
                points.append((spec, point))
        self._publish(points)

    def _publish(self, points: list[tuple[Spec, Point]]) -> None:
        if points:
            publish(self._client(), [(Source.of(spec), point) for spec, point in points])


@dataclass(frozen=True, slots=True)
class Source:
    """The task of a point."""

    cluster: str
    family: str
    task_id: str

    @classmethod
    def of(cls, spec: Spec) -> Source:
        return cls(spec.cluster, spec.family, spec.task_id)


def publish(client: CloudWatchClient, points: list[tuple[Source, Point]]) -> None:
    """Store points as Container Insights does."""
    data = [datum for source, point in points for datum in _data(source, point)]
    for begin in range(0, len(data), PUT_LIMIT):
        client.put_metric_data(Namespace=NAMESPACE, MetricData=data[begin : begin + PUT_LIMIT])


def _data(source: Source, point: Point) -> list[MetricDatumTypeDef]:
    """Under the dimensions of Container Insights, and of its enhanced observability."""
    family: list[DimensionTypeDef] = [
        {"Name": "ClusterName", "Value": source.cluster},
        {"Name": "TaskDefinitionFamily", "Value": source.family},
    ]
    task: DimensionTypeDef = {"Name": "TaskId", "Value": source.task_id}
    values: list[tuple[str, float, StandardUnitType]] = [
        ("CpuUtilized", point.cpu_units, "None"),
        ("MemoryUtilized", point.memory_bytes / 1024 / 1024, "Megabytes"),
    ]
    return [
        {
            "MetricName": name,
            "Dimensions": dimensions,
            "Timestamp": datetime.fromtimestamp(point.at, UTC),
            "Value": value,
            "Unit": unit,
        }
        for dimensions in (family, [*family, task])
        for name, value, unit in values
    ]
