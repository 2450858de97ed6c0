"""
The tasks of an attempt that were launched again within it, oldest first, as they are stored. Pure.

A task that did not start is its ARN. One that was interrupted is a map with its ARN, its start and
its end: it may have written output.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.ecs_task import Task
from chalicelib.domain.times import iso

MAX_RELAUNCHES = 5
"""How often one attempt is launched again after a failure to start that may pass."""
MAX_INTERRUPTIONS = 5
"""How often one attempt is launched again after an interruption."""

Spent = Sequence[Any] | None
"""What a run stores: ARNs and maps."""


def arns(spent: Spent) -> list[str]:
    """Of all of them."""
    return [one if isinstance(one, str) else one["task_arn"] for one in spent or []]


def interrupted(spent: Spent) -> list[dict[str, Any]]:
    """Those that were interrupted."""
    return [one for one in spent or [] if not isinstance(one, str)]


def not_started(spent: Spent) -> list[str]:
    """Those that did not start."""
    return [one for one in spent or [] if isinstance(one, str)]


def first_start(spent: Spent) -> str | None:
    """When the attempt began, if one of them had started."""
    return next((one["started_at"] for one in interrupted(spent) if one["started_at"]), None)


def interruption(task: Task, now: datetime) -> dict[str, Any]:
    """What is stored of a task that was interrupted."""
    return {
        "task_arn": task.arn,
        "started_at": iso(task.started_at),
        "finished_at": iso(task.stopped_at or now),
    }
