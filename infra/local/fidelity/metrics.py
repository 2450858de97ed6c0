"""
GetMetricData as CloudWatch answers it, in moto's place.

moto counts periods from a start that it does not round, shows fine points of any age, looks at
every stored value for every period of every query, and knows one status. Queries with an
Expression stay with moto.

    with mock_aws(), MetricsFidelity.install(now=clock) as metrics:
        metrics.statuses["CpuUtilized"] = "PartialData"

Source: GetMetricData in the CloudWatch API reference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend, MetricDatumBase, Statistics

from infra.local.fidelity.overlay import Overlay

OPERATION = "get_metric_data"
MAX_QUERIES = 500
KEPT = ((timedelta(days=15), 60), (timedelta(days=63), 300), (timedelta(days=455), 3_600))
"""Up to which age of a request's start points of which period are there."""

Key = tuple[str, str, frozenset[tuple[str, str]]]


class MetricsFidelity(Overlay):
    """Installed over moto's CloudWatch backend."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.now = now
        self.statuses: dict[str, str] = {}
        """StatusCode to answer for a metric, by its name, instead of Complete."""
        self.limit: int | None = None
        """How many datapoints are kept, the newest; None: all."""

    @classmethod
    def install(cls, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> MetricsFidelity:
        """Answer GetMetricData as AWS does; replaces an earlier one."""
        cls._take_off()
        fidelity = cls(now)
        original = getattr(CloudWatchBackend, OPERATION)

        def get_metric_data(
            backend: CloudWatchBackend,
            queries: list[dict[str, Any]],
            start_time: datetime,
            end_time: datetime,
            scan_by: str = "TimestampDescending",
        ) -> list[dict[str, Any]]:
            if any("MetricStat" not in query for query in queries):
                answer: list[dict[str, Any]] = original(
                    backend, queries, start_time, end_time, scan_by
                )
                return answer
            return fidelity._answer(backend, queries, _epoch(start_time), _epoch(end_time), scan_by)

        fidelity._replace(CloudWatchBackend, OPERATION, get_metric_data)
        put = CloudWatchBackend.put_metric_data
        fidelity._replace(CloudWatchBackend, put.__name__, fidelity._bounded(put))
        return fidelity

    def _bounded(self, original: Callable[..., None]) -> Callable[..., None]:
        def put_metric_data(backend: CloudWatchBackend, *args: Any, **more: Any) -> None:
            original(backend, *args, **more)
            if self.limit is not None and len(backend.metric_data) > self.limit:
                # a tenth more, so that not every datum moves all others
                del backend.metric_data[: len(backend.metric_data) - self.limit * 9 // 10]

        return put_metric_data

    def _answer(
        self,
        backend: CloudWatchBackend,
        queries: list[dict[str, Any]],
        start: float,
        end: float,
        scan_by: str,
    ) -> list[dict[str, Any]]:
        if start >= end:
            raise ValidationError("The parameter EndTime must be greater than StartTime.")
        if len(queries) > MAX_QUERIES:
            raise ValidationError(f"There are more than {MAX_QUERIES} queries.")
        grain = self._grain(start)
        start -= start % grain
        values = _values(backend, {_asked(query) for query in queries}, start, end)
        answers = []
        for query in queries:
            stat, period = query["MetricStat"]["Stat"], int(query["MetricStat"]["Period"])
            if period % 60:
                raise ValidationError("Period must be a multiple of 60.")
            found: defaultdict[float, list[MetricDatumBase]] = defaultdict(list)
            if period % grain == 0:  # a finer period than what is kept answers nothing
                for at, datum in values[_asked(query)]:
                    found[at - (at - start) % period].append(datum)
            order = sorted(found, reverse=scan_by == "TimestampDescending")
            name = query["MetricStat"]["Metric"]["MetricName"]
            status = self.statuses.get(name, "Complete")
            answers.append(
                {
                    "id": query["Id"],
                    "label": query.get("Label") or name,
                    "timestamps": [datetime.fromtimestamp(at, UTC) for at in order],
                    "values": [_statistic(stat, found[at]) for at in order],
                    "status_code": status,
                }
            )
        return answers

    def _grain(self, start: float) -> int:
        age = timedelta(seconds=_epoch(self.now()) - start)
        return next((grain for limit, grain in KEPT if age <= limit), KEPT[-1][1])


def _asked(query: dict[str, Any]) -> Key:
    metric = query["MetricStat"]["Metric"]
    dimensions = ((one["Name"], one["Value"]) for one in metric.get("Dimensions", ()))
    return metric["Namespace"], metric["MetricName"], frozenset(dimensions)


def _values(
    backend: CloudWatchBackend, wanted: set[Key], start: float, end: float
) -> dict[Key, list[tuple[float, MetricDatumBase]]]:
    """What is stored of each metric, with the minute that it counts for, in [start, end)."""
    found: dict[Key, list[tuple[float, MetricDatumBase]]] = {key: [] for key in wanted}
    for datum in backend.metric_data:
        dimensions = frozenset((one.name, one.value) for one in datum.dimensions)
        key = (datum.namespace, datum.name, dimensions)
        at = _epoch(datum.timestamp) // 60 * 60
        if key in found and start <= at < end:
            found[key].append((at, datum))
    return found


def _statistic(stat: str, data: Iterable[Any]) -> float:
    statistics = Statistics([stat], datetime.now(UTC))
    statistics.metric_data = list(data)
    value = statistics.get_statistics_for_type(stat)
    if value is None:
        raise ValidationError(f"{stat} is not a statistic that is known here.")
    return float(value)


def _epoch(at: datetime) -> float:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
