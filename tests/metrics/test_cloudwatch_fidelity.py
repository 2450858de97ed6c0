"""How GetMetricData behaves where moto differs: the fidelity layer's part."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.metrics.metric_world import DAY, HOUR, JOB, MINUTE, NOON, World


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
