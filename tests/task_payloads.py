"""Payloads of stopped tasks, as ECS describes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

STARTED = "2026-11-23T12:00:00.000Z"

ENDED = "2026-11-23T12:01:00.000Z"

STOPPED = "2026-11-23T12:01:30.000Z"


def payload(
    stop_code: str | None = "EssentialContainerExited",
    stopped_reason: str | None = "Essential container in task exited",
    *,
    exit_code: int | None = None,
    reason: str | None = None,
    started: bool = True,
    containers: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """A STOPPED task as in a state-change event; an argument of None leaves its field out."""
    main = {"name": "main", "lastStatus": "STOPPED", "exitCode": exit_code, "reason": reason}
    task: dict[str, Any] = {
        "taskArn": "arn:aws:ecs:eu-central-1:123456789012:task/jobyard-test/0af5",
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "version": 5,
        "startedBy": "job_1/run_1/1",
        "createdAt": "2026-11-23T11:59:00.000Z",
        "startedAt": STARTED if started else None,
        "executionStoppedAt": ENDED if started else None,
        "stoppedAt": STOPPED,
        "stopCode": stop_code,
        "stoppedReason": stopped_reason,
        "containers": [main] if containers is None else containers,
    }
    task["containers"] = [
        {name: value for name, value in container.items() if value is not None}
        for container in task["containers"] or []
    ]
    return {name: value for name, value in task.items() if value is not None}


@dataclass(frozen=True)
class Case:
    """A payload and its verdict; `code` is None for a success."""

    name: str
    task: dict[str, Any] = field(repr=False)
    code: str | None
    exit_code: int | None = None
    may_pass: bool = False
    says: str = ""
    """A part of the error's message."""


OOM = "OutOfMemoryError: Container killed due to memory usage"

NOT_STARTED: dict[str, Any] = {"stop_code": "TaskFailedToStart", "started": False}


def refused_start(stopped_reason: str, **more: Any) -> dict[str, Any]:
    return payload(stopped_reason=stopped_reason, **{**NOT_STARTED, **more})
