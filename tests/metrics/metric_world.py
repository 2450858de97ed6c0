"""The metrics that Container Insights would publish, and calls of the use-cases that read them."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.http import views
from chalicelib.http.queries import MetricsQuery
from chalicelib.settings import read_settings
from chalicelib.system import System
from chalicelib.tables.run_records import Run
from chalicelib.usecases.metrics import MetricsResult
from infra.local.fidelity.metrics import MetricsFidelity
from tests.cloudwatch_world import WorldClock, counting

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)

JOB = "job_01KAR0000000000000000000AA"

ARN = "arn:aws:ecs:eu-central-1:123456789012:task/jobyard-test/"

MIB = 1_048_576

MINUTE = timedelta(minutes=1)

HOUR = timedelta(hours=1)

DAY = timedelta(days=1)


class World:
    """One job's metrics in CloudWatch (moto), and the use-case that reads them."""

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
        """Publish one sample a minute of a task, with each of its two sets of dimensions."""
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

    def counting(self) -> AbstractContextManager[None]:
        """Count the calls of CloudWatch that are made inside, in `calls`."""
        return counting(self.client, self.calls)


def shown(result: MetricsResult) -> dict[str, Any]:
    """The metrics as the API shows them."""
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
