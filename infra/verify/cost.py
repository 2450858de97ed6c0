"""What the containers of a verification cost, by the prices of docs/operating.md."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chalicelib.domain import run_cost

AT_LEAST_SECONDS = run_cost.AT_LEAST
SMALLEST = {"cpu": 0.25, "memory_mib": 512, "architecture": "x86_64"}
"""The task that every step uses, with a public address; priced as in docs/operating.md, "What it
costs", which is for us-east-1 wherever the stage is."""


def rates(insights: str) -> run_cost.Rates:
    """The prices of such a task."""
    is_enhanced = insights == "enhanced"
    kept = run_cost.rates(SMALLEST, "us-east-1", has_address=True, has_task_metrics=is_enhanced)
    assert kept is not None  # the region's price is known
    return run_cost.Rates(*kept)


@dataclass
class Spent:
    """Tasks and seconds that Fargate bills, at most; added up from several threads."""

    seconds_by_run: dict[str, float] = field(default_factory=dict)
    tasks_by_run: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, job_id: str, runs: Sequence[Mapping[str, Any]]) -> None:
        """
        Count a job's runs, from when they were asked for until they ended.

        That is more than Fargate bills, which begins with the pull of the image.
        """
        now = datetime.now(UTC).isoformat()
        with self._lock:
            for run in runs:
                tasks = max(len(run["attempts"]), 1 if run["task_arn"] else 0)
                if tasks:
                    asked = datetime.fromisoformat(run["created_at"])
                    ended = datetime.fromisoformat(run["finished_at"] or now)
                    seconds = max((ended - asked).total_seconds(), AT_LEAST_SECONDS * tasks)
                    self.seconds_by_run[f"{job_id}/{run['id']}"] = seconds
                    self.tasks_by_run[f"{job_id}/{run['id']}"] = tasks

    def sentence(self, insights: str) -> str:
        """How much it is, in cents."""
        tasks, seconds = sum(self.tasks_by_run.values()), sum(self.seconds_by_run.values())
        prices = rates(insights)
        dollars = (seconds * prices.hour / 3600 + tasks * prices.begun_hour) / 1e9
        counted = "Fargate and public addresses"
        if insights == "enhanced":
            counted += ", an hour of enhanced Container Insights for each"
        return (
            f"It cost at most {dollars * 100:.1f} US cents: {tasks} tasks of 0.25 vCPU and 0.5 GB, "
            f"{seconds / 60:.0f} minutes together, by the prices in docs/operating.md ({counted}). "
            "The requests, functions and records are less than a cent."
        )
