"""CloudWatch metrics: several series in one GetMetricData."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib import log
from chalicelib.cloud import aws

COMPLETE = "Complete"
FORBIDDEN = "Forbidden"
MAX_SERIES = 500
"""Queries that one GetMetricData takes; it answers up to 100,800 points for them."""


@dataclass(frozen=True, slots=True)
class Series:
    """What to ask for: a statistic of one metric, a value every `period` seconds."""

    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    stat: str
    period: int


@dataclass(frozen=True, slots=True)
class Values:
    """A series as CloudWatch answered it, oldest first; a period without data has no point."""

    points: list[tuple[datetime, float]]
    status: str
    """Complete, InternalError, PartialData or Forbidden."""
    message: str


@dataclass(slots=True)
class Metrics:
    """What Jobyard reads from CloudWatch; throttling and outages are `Unavailable`."""

    clients: aws.Clients

    def get(self, series: Sequence[Series], start: datetime, end: datetime) -> list[Values]:
        """
        Each of at most MAX_SERIES series in [start, end), in the order asked for, by one call.

        No Unit is sent: one that differs from the data's would answer nothing (GetMetricData).
        """
        queries = [_query(number, one) for number, one in enumerate(series)]
        with aws.translated("read the metrics"):
            answer = self.clients.get("cloudwatch").get_metric_data(
                MetricDataQueries=queries,
                StartTime=start,
                EndTime=end,
                ScanBy="TimestampAscending",
            )
        found = {result["Id"]: result for result in answer["MetricDataResults"]}
        if any(result.get("StatusCode") == FORBIDDEN for result in found.values()):
            log.denied("read a metric", "GetMetricData", FORBIDDEN, "A series may not be read.")
        return [_values(found.get(query["Id"])) for query in queries]


def _query(number: int, series: Series) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in series.dimensions.items()]
    return {
        "Id": f"s{number}",
        "MetricStat": {
            "Metric": {
                "Namespace": series.namespace,
                "MetricName": series.metric,
                "Dimensions": dimensions,
            },
            "Period": series.period,
            "Stat": series.stat,
        },
    }


def _values(result: Mapping[str, Any] | None) -> Values:
    if result is None:
        return Values([], "InternalError", "CloudWatch left the series out of its answer.")
    points = list(zip(result["Timestamps"], result["Values"], strict=True))
    message = " ".join(message["Value"] for message in result.get("Messages", ()))
    return Values(points, result.get("StatusCode", COMPLETE), message)
