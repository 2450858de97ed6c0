"""The current attempt of a run, as one value: a retry replaces it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """
    The current attempt of a run; the attributes of the run's record have the same names.

    They are attributes of the record and not a map, so that a change writes only what changed.
    """

    attempt: int
    """From 1."""
    launch: int
    """Part of RunTask's client token; raised once the last launch is known to have no task."""
    waiting_since: datetime
    """When the attempt became due to be launched; anew after each interruption."""
    capacity: str | None = None
    """What its current launch is on; None: on demand (see `capacity`)."""
    requested_at: datetime | None = None
    """First RunTask of the current launch; None: none was sent."""
    refusal: dict[str, str] | None = None
    """Why the last launch was refused, while it waits to be tried again."""
    task_arn: str | None = None
    event_version: int | None = None
    """Version of the newest description of the task that was applied."""
    pull_started_at: datetime | None = None
    """When Fargate began to bill its task."""
    billed: list[Any] | None = None
    """What those of its tasks cost that have stopped: a `run_cost.Bill`."""
    attempt_started_at: datetime | None = None
    spent_tasks: list[Any] | None = None
    """Its tasks that were launched again, as `spent_tasks` describes."""
    stop_reason: str | None = None
    """Why its task must stop; stored before StopTask, and decides the verdict."""
    stopping_since: datetime | None = None
    missing_at: datetime | None = None
    """When ECS first answered that it does not know the task."""

    def attributes(self) -> dict[str, Any]:
        """Every attribute of the record that belongs to the attempt."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def backoff(attempt: int) -> timedelta:
    """Before the retry that follows `attempt`: 10 s, doubling to at most 6 min."""
    return timedelta(seconds=min(10 * 2 ** (attempt - 1), 360))
