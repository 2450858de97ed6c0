"""An ECS task, as DescribeTasks answers it or as a state-change event carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

CONTAINER = "main"
"""Name of the one container of every task definition."""


@dataclass(frozen=True, slots=True)
class Task:
    """An ECS task as last seen."""

    arn: str
    version: int
    status: str
    started_by: str
    created_at: datetime | None
    started_at: datetime | None
    stopped_at: datetime | None
    """When the container ended (`executionStoppedAt`), else when the task was STOPPED."""
    stop_code: str
    stopped_reason: str
    exit_code: int | None
    container_reason: str
    pull_started_at: datetime | None = None
    """When Fargate began to bill it."""
    terminated_at: datetime | None = None
    """When it was STOPPED, and no longer billed."""

    @property
    def is_stopped(self) -> bool:
        return self.status == "STOPPED"

    @property
    def is_started(self) -> bool:
        """Its container runs, or ran."""
        return self.started_at is not None or self.status == "RUNNING"


def _time(value: object) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromisoformat(str(value).replace("Z", "+00:00"))


def read_task(raw: Mapping[str, Any]) -> Task:
    """
    A task as DescribeTasks answers it or as a state-change event's `detail` carries it.

    `containers` may be empty and `exitCode` absent; both are None here, never a success.
    """
    containers = raw.get("containers") or []
    main = next((c for c in containers if c.get("name") == CONTAINER), None) or {}
    return Task(
        arn=raw["taskArn"],
        version=int(raw.get("version", 0)),
        status=raw.get("lastStatus", ""),
        started_by=raw.get("startedBy", ""),
        created_at=_time(raw.get("createdAt")),
        started_at=_time(raw.get("startedAt")),
        stopped_at=_time(raw.get("executionStoppedAt") or raw.get("stoppedAt")),
        stop_code=raw.get("stopCode") or "",
        stopped_reason=raw.get("stoppedReason") or "",
        exit_code=main.get("exitCode"),
        container_reason=main.get("reason") or "",
        pull_started_at=_time(raw.get("pullStartedAt")),
        terminated_at=_time(raw.get("stoppedAt")),
    )


def started_by(job_id: str, run_id: str, attempt: int) -> str:
    """RunTask's `startedBy`, the only way from a task back to its run; 62 characters."""
    return f"{job_id}/{run_id}/{attempt}"


def owner(task_started_by: str) -> tuple[str, str, int] | None:
    """(job, run, attempt) of a task, or None where Jobyard did not start it."""
    parts = task_started_by.split("/")
    if len(parts) != 3 or not parts[0].startswith("job_") or not parts[1].startswith("run_"):
        return None
    is_number = parts[2].isascii() and parts[2].isdigit()
    return (parts[0], parts[1], int(parts[2])) if is_number else None
