"""Runs as the transitions read them, and tasks as ECS describes them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.domain import ecs_task
from chalicelib.domain.ecs_task import Task
from chalicelib.domain.run_step import Step

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

MINUTE = timedelta(minutes=1)

HOUR = timedelta(hours=1)


@dataclass
class Run:
    """
    The fields of a run that the transitions read; it was launched at NOW and its task is known.
    """

    status: str = "pending"
    live: str | None = "run_1"
    attempt: int = 1
    launch: int = 1
    max_attempts: int = 1
    job_capacity: str | None = None
    capacity: str | None = None
    task_arn: str | None = "arn:task/1"
    event_version: int | None = None
    started_at: datetime | None = None
    attempt_started_at: datetime | None = None
    rates: list[Any] | None = None
    pull_started_at: datetime | None = None
    billed: list[Any] | None = None
    past_attempts: list[dict[str, Any]] | None = None
    spent_tasks: list[Any] | None = None
    stop_reason: str | None = None
    stopping_since: datetime | None = None
    requested_at: datetime | None = NOW
    waiting_since: datetime | None = NOW
    refusal: dict[str, str] | None = None
    timeout_seconds: int = 600
    seen_at: datetime | None = None
    missing_at: datetime | None = None
    finished_at: datetime | None = None
    created_at: datetime = NOW
    scheduled_for: datetime | None = None
    due_at: datetime | None = None
    released_at: datetime | None = None
    observed_at: datetime | None = None
    # stored by the transitions, but not read by them
    look_at: datetime | None = NOW
    retry_at: datetime | None = None
    waits_for: list[str] | None = None
    exit_code: int | None = None
    error: dict[str, str] | None = None

    def apply(self, step: Step | None) -> Run:
        """The run after the step was stored."""
        return self if step is None else replace(self, **step.changes)


RUNNING = Run(
    status="running",
    event_version=3,
    started_at=NOW,
    attempt_started_at=NOW,
    seen_at=NOW,
)


@dataclass
class Told:
    """A task in ECS's own fields."""

    raw: dict[str, Any] = field(default_factory=dict)

    def task(self) -> Task:
        base = {
            "taskArn": "arn:task/1",
            "version": 1,
            "lastStatus": "PROVISIONING",
            "startedBy": "job_1/run_1/1",
            "createdAt": NOW,
        }
        return ecs_task.read_task(base | self.raw)


def task(status: str = "PROVISIONING", version: int = 1, **more: Any) -> Task:
    return Told({"lastStatus": status, "version": version, **more}).task()


def running(version: int = 3, **more: Any) -> Task:
    return task("RUNNING", version, startedAt=NOW + MINUTE, **more)


def stopped(exit_code: int | None = 0, version: int = 5, **more: Any) -> Task:
    container = {"name": "main", "exitCode": exit_code}
    told = {
        "startedAt": NOW + MINUTE,
        "stoppedAt": NOW + 2 * MINUTE,
        "stopCode": "EssentialContainerExited",
        "containers": [container if exit_code is not None else {"name": "main"}],
    }
    return task("STOPPED", version, **(told | more))


def interrupted(exit_code: int | None = 143, **more: Any) -> Task:
    told = {"stopCode": "SpotInterruption", "stoppedReason": "Your Spot Task was interrupted."}
    return stopped(exit_code, **(told | more))


def could_not_start(reason: str = "Timeout waiting for network interface provisioning to complete.",
                    **more: Any) -> Task:  # fmt: skip
    told = {"startedAt": None, "stopCode": "TaskFailedToStart", "stoppedReason": reason}
    return stopped(None, **(told | more))
