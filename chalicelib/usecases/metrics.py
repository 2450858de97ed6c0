"""
CPU and memory of a run, or of all runs of a job, from Container Insights.

Container Insights publishes one sample per task and minute in ECS/ContainerInsights: of all tasks
of a family under {ClusterName, TaskDefinitionFamily}, and with enhanced observability of each
task under those and TaskId. CpuUtilized is in CPU units, 1,024 a core, and MemoryUtilized in
megabytes, which the ECS agent counts as 1,048,576 bytes (agent/stats/queue.go).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.cloud.metrics import COMPLETE, Series, Values
from chalicelib.domain.attempt_tasks import RunLike, tasks_of

if TYPE_CHECKING:
    from chalicelib.clock import Clock
    from chalicelib.cloud.metrics import Metrics
    from chalicelib.domain.window import Window
    from chalicelib.settings import Settings

NAMESPACE = "ECS/ContainerInsights"
JOB_WINDOW = timedelta(hours=1)
SHORT = timedelta(hours=6)
"""Windows up to this are answered by the minute."""
MAX_POINTS = 1_440
PERIODS = (60, 300, 900, 3_600, 21_600, 86_400)
KEPT = ((timedelta(days=15), 60), (timedelta(days=63), 300), (timedelta(days=455), 3_600))
"""How long CloudWatch keeps points, and of what period: none finer is answered (GetMetricData)."""
SETTLING = timedelta(minutes=2)
"""How long after a task's end its last sample may be stamped."""

_FAILURES = {
    "PartialData": ("partial_data", "CloudWatch answered only part of the data: try again."),
    "InternalError": ("internal_error", "CloudWatch failed to read the data: try again."),
    "Forbidden": ("forbidden", "Jobyard's role may not read this metric: see its deployment."),
}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of the API, and the metric of Container Insights that it comes from."""

    source: str
    unit: str
    scale: float
    """How many of `unit` one of the source's unit is."""
    is_total: bool
    """The sum over the tasks that run at a time, rather than their average."""


METRICS = {
    "cpu_usage": Metric("CpuUtilized", "cores", 1 / 1_024, is_total=False),
    "memory_usage": Metric("MemoryUtilized", "bytes", 1_048_576, is_total=True),
}


@dataclass(frozen=True, slots=True)
class Span:
    """What to ask CloudWatch for: [start, end), a point every `period` seconds."""

    start: datetime
    end: datetime
    period: int
    grain: int
    """The finest period, in seconds, that it still keeps from `start` on."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric's values; a period without data has no point."""

    unit: str
    points: list[tuple[datetime, float]]


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Why a metric has no values."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class MetricsResult:
    """The window as asked for, and each metric's own result."""

    start: datetime
    end: datetime
    period_seconds: int
    metrics: dict[str, Measured | NotMeasured]
    """By name, in the order asked for."""

    @property
    def is_complete(self) -> bool:
        """Whether every metric succeeded."""
        return all(isinstance(metric, Measured) for metric in self.metrics.values())


@dataclass(slots=True)
class JobMetrics:
    """Reads the CPU and memory of runs."""

    cloudwatch_metrics: Metrics
    settings: Settings
    clock: Clock

    def of_job(self, job_id: str, window: Window, names: Sequence[str] | None) -> MetricsResult:
        """
        The metrics of all runs of a job, by default of the last hour: one call to CloudWatch.

        BadRequest for an empty window; Unavailable.
        """
        now = self.clock.now()
        start, end = window.between(now, JOB_WINDOW)
        span = span_of(start, end, now)
        family = self._dimensions(job_id)
        metrics = self._read(names, span, lambda metric: [_of_family(metric, family, span)])
        return MetricsResult(start, end, span.period, metrics)

    def of_run(self, run: RunLike, window: Window, names: Sequence[str] | None) -> MetricsResult:
        """
        The metrics of a run, by default of its whole life: one call to CloudWatch for all tasks.

        None is made before it has a task. BadRequest for an empty window; Unavailable.
        """
        now = self.clock.now()
        start, end, until = _life(run, window, now)
        span = span_of(start, until, now)
        family = self._dimensions(run.job_id)
        tasks = [{**family, "TaskId": task.task_id} for task in tasks_of(run) if task.has_output]
        metrics = self._read(
            names, span, lambda metric: [_of_task(metric, task, span) for task in tasks]
        )
        return MetricsResult(start, end, span.period, metrics)

    def _dimensions(self, job_id: str) -> dict[str, str]:
        return {
            "ClusterName": self.settings.cluster,
            "TaskDefinitionFamily": self.settings.family(job_id),
        }

    def _read(
        self, names: Sequence[str] | None, span: Span, series_of: Callable[[Metric], list[Series]]
    ) -> dict[str, Measured | NotMeasured]:
        """Each metric that was asked for, by one call for all their series."""
        names = list(dict.fromkeys(name.strip() for name in names or METRICS))
        asked = {name: series_of(METRICS[name]) for name in names if name in METRICS}
        series = [one for several in asked.values() for one in several]
        answered: Iterator[Values] = iter(())
        if series and span.start < span.end:
            answered = iter(self.cloudwatch_metrics.get(series, span.start, span.end))
        return {
            name: _metric(METRICS[name], list(zip(asked[name], answered, strict=False)), span)
            if name in METRICS
            else _unknown(name)
            for name in names
        }


def _of_family(metric: Metric, family: dict[str, str], span: Span) -> Series:
    """
    Of all tasks of a job.

    The total is the sum of one minute's samples. Over longer periods that sum grows with the
    number of minutes, so it is read as finely as it is kept, and averaged here.
    """
    if metric.is_total:
        return Series(NAMESPACE, metric.source, family, "Sum", span.grain)
    return Series(NAMESPACE, metric.source, family, "Average", span.period)


def _of_task(metric: Metric, task: dict[str, str], span: Span) -> Series:
    """Of one task: a run has one at a time, so that its total is its average at any period."""
    return Series(NAMESPACE, metric.source, task, "Average", span.period)


def _life(run: RunLike, window: Window, now: datetime) -> tuple[datetime, datetime, datetime]:
    """The window, by default a run's whole life, and until when to read for it."""
    began: datetime = run.started_at or run.created_at
    if window.is_default:
        end: datetime = run.finished_at or now
        return began, end, end + SETTLING
    latest = (window.end or now) - timedelta(minutes=1)
    start, end = window.between(now, min(began, latest))
    return start, end, end


def span_of(start: datetime, end: datetime, now: datetime) -> Span:
    """
    The finest span for a window that is answered by at most MAX_POINTS points.

    It begins on a period's boundary, as CloudWatch's points do, so up to a period early.
    """
    start = max(start, now - KEPT[-1][0] + timedelta(days=1))
    end = min(end, now + timedelta(minutes=1))
    is_short = end - start <= SHORT
    for period in PERIODS:
        first = _floor(start, period)
        grain = next(grain for age, grain in KEPT if now - first <= age)
        points = (end - first) / timedelta(seconds=period)
        if period >= grain and points <= MAX_POINTS and (is_short or period > PERIODS[0]):
            break
    almost_a_minute = timedelta(minutes=1) - timedelta.resolution
    return Span(first, _floor(end + almost_a_minute, 60), period, grain)


def _floor(at: datetime, period: int) -> datetime:
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % period, UTC)


def _metric(
    metric: Metric, answers: Sequence[tuple[Series, Values]], span: Span
) -> Measured | NotMeasured:
    folded: defaultdict[datetime, list[float]] = defaultdict(list)
    for series, values in answers:
        if values.status != COMPLETE:
            return _failed(values)
        minutes = series.period / 60 if series.stat == "Sum" else 1
        for at, value in values.points:
            folded[_floor(at, span.period)].append(value / minutes * metric.scale)
    points = [(at, sum(found) / len(found)) for at, found in sorted(folded.items())]
    return Measured(metric.unit, points)


def _failed(values: Values) -> NotMeasured:
    return NotMeasured(*_FAILURES.get(values.status, _FAILURES["InternalError"]))


def _unknown(name: str) -> NotMeasured:
    known = ", ".join(METRICS)
    return NotMeasured("unknown_metric", f"There is no metric {name!r}; there are {known}.")
