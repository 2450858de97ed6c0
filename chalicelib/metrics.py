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
from typing import TYPE_CHECKING, Any

from chalicelib.cloud.metrics import COMPLETE, Series, Values
from chalicelib.run_tasks import RunLike, tasks_of
from chalicelib.transitions import iso

if TYPE_CHECKING:
    from chalicelib.queries import MetricsQuery
    from chalicelib.services import Services

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
    """A metric that the API offers, and Container Insights' one that it is made of."""

    source: str
    unit: str
    scale: float
    """What one of the source's unit is in `unit`."""
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
class MetricsResult:
    """The window as asked for, and each metric's own result as JSON."""

    start: datetime
    end: datetime
    period_seconds: int
    metrics: dict[str, dict[str, Any]]

    @property
    def ok(self) -> bool:
        """Whether every metric succeeded."""
        return all(metric["status"] == "success" for metric in self.metrics.values())


def job_metrics(job_id: str, query: MetricsQuery, *, on: Services) -> MetricsResult:
    """
    The metrics of all runs of a job, by default of the last hour: one call to CloudWatch.

    BadRequest for an empty window; Unavailable.
    """
    now = on.now()
    start, end = query.window(now, JOB_WINDOW)
    span = span_of(start, end, now)
    family = _dimensions(job_id, on=on)
    metrics = _read(query, span, lambda metric: [_of_family(metric, family, span)], on=on)
    return MetricsResult(start, end, span.period, metrics)


def run_metrics(run: RunLike, query: MetricsQuery, *, on: Services) -> MetricsResult:
    """
    The metrics of a run, by default of its whole life: one call to CloudWatch for all its tasks.

    None is made before it has a task. BadRequest for an empty window; Unavailable.
    """
    now = on.now()
    start, end, until = _life(run, query, now)
    span = span_of(start, until, now)
    family = _dimensions(run.job_id, on=on)
    tasks = [{**family, "TaskId": task.task_id} for task in tasks_of(run)]
    metrics = _read(
        query, span, lambda metric: [_of_task(metric, task, span) for task in tasks], on=on
    )
    return MetricsResult(start, end, span.period, metrics)


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


def _life(run: RunLike, query: MetricsQuery, now: datetime) -> tuple[datetime, datetime, datetime]:
    """The window, by default a run's whole life, and until when to read for it."""
    began: datetime = run.started_at or run.created_at
    if query.since is query.start is query.end is None:
        end: datetime = run.finished_at or now
        return began, end, end + SETTLING
    latest = (query.end or now) - timedelta(minutes=1)
    start, end = query.window(now, min(began, latest))
    return start, end, end


def _dimensions(job_id: str, *, on: Services) -> dict[str, str]:
    return {
        "ClusterName": on.settings.cluster,
        "TaskDefinitionFamily": on.settings.family(job_id),
    }


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


def _read(
    query: MetricsQuery,
    span: Span,
    series_of: Callable[[Metric], list[Series]],
    *,
    on: Services,
) -> dict[str, dict[str, Any]]:
    """Each metric that was asked for, by one call for all their series."""
    names = list(dict.fromkeys(name.strip() for name in query.names or METRICS))
    asked = {name: series_of(METRICS[name]) for name in names if name in METRICS}
    series = [one for several in asked.values() for one in several]
    answered: Iterator[Values] = iter(())
    if series and span.start < span.end:
        answered = iter(on.metrics.get(series, span.start, span.end))
    return {
        name: _metric(METRICS[name], list(zip(asked[name], answered, strict=False)), span)
        if name in METRICS
        else _unknown(name)
        for name in names
    }


def _metric(metric: Metric, answers: Sequence[tuple[Series, Values]], span: Span) -> dict[str, Any]:
    folded: defaultdict[datetime, list[float]] = defaultdict(list)
    for series, values in answers:
        if values.status != COMPLETE:
            return _failed(values)
        minutes = series.period / 60 if series.stat == "Sum" else 1
        for at, value in values.points:
            folded[_floor(at, span.period)].append(value / minutes * metric.scale)
    points = [
        {"timestamp": iso(at), "value": sum(found) / len(found)}
        for at, found in sorted(folded.items())
    ]
    return {"status": "success", "unit": metric.unit, "points": points}


def _failed(values: Values) -> dict[str, Any]:
    code, message = _FAILURES.get(values.status, _FAILURES["InternalError"])
    return {"status": "error", "message": message, "code": code}


def _unknown(name: str) -> dict[str, Any]:
    known = ", ".join(METRICS)
    message = f"There is no metric {name!r}; there are {known}."
    return {"status": "error", "message": message, "code": "unknown_metric"}
