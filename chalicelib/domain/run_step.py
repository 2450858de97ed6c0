"""
A step of a run: what to store, and what follows. Pure: a run as it was read goes in.

A step is stored on condition that the run is still as it was read. So the functions that make a
step look at the run alone and need not consider concurrent writers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from chalicelib.domain import capacity
from chalicelib.domain.attempt import Attempt, backoff
from chalicelib.domain.change import Change
from chalicelib.domain.run_errors import RunError
from chalicelib.domain.run_states import FAILED, PENDING, RUNNING, SUCCEEDED
from chalicelib.domain.spent_tasks import Spent, first_start, interrupted
from chalicelib.domain.times import iso
from chalicelib.domain.verdicts import Verdict

LOOK_SOON = timedelta(seconds=60)
"""When to look again after a request whose result should arrive as an event."""
LOOK_LATER = timedelta(minutes=10)
"""The longest time between two looks at a run in flight."""


class RunLike(Protocol):
    """What of a run the transitions read; tables.records.Run is one."""

    status: Any
    live: Any
    attempt: Any
    launch: Any
    max_attempts: Any
    job_capacity: Any
    capacity: Any
    task_arn: Any
    event_version: Any
    started_at: Any
    attempt_started_at: Any
    rates: Any
    pull_started_at: Any
    billed: Any
    past_attempts: Any
    spent_tasks: Any
    stop_reason: Any
    stopping_since: Any
    requested_at: Any
    waiting_since: Any
    refusal: Any
    timeout_seconds: Any
    seen_at: Any
    observed_at: Any
    missing_at: Any
    finished_at: Any
    created_at: Any
    scheduled_for: Any
    due_at: Any
    look_at: Any
    released_at: Any


@dataclass(frozen=True, slots=True)
class Step:
    """What to store, and what follows once it is stored."""

    changes: dict[str, Any] = field(default_factory=dict)
    outcome: str | None = None
    """Set when the run becomes terminal: what to count it as."""
    stop: str | None = None
    """ARN of a task that must not go on."""
    change: Change | None = None
    """What the audit trail tells of it, where a caller asked for it."""
    releases_waiting_runs: bool = False
    """A cancelled run's container has ended: runs that waited for it may be launched."""

    @property
    def leaves_flight(self) -> bool:
        """Nothing of the run is up any more: of a `queue` job, the next in line may be launched."""
        return "live" in self.changes


def next_look(run: RunLike, started_at: datetime, now: datetime) -> datetime:
    """When to look at a running run again: at its time-out, or after LOOK_LATER."""
    return min(now + LOOK_LATER, started_at + timedelta(seconds=run.timeout_seconds))


def start_delay(run: RunLike) -> float | None:
    """Seconds from when a run was triggered, or due, or its turn came, to the start of its first
    container."""
    if run.started_at is None:
        return None
    due = run.released_at or run.due_at or run.scheduled_for or run.created_at
    delay: timedelta = run.started_at - due
    return delay.total_seconds()


def relaunch(
    run: RunLike, now: datetime, why: RunError | None, spent: Spent, *, delay: float
) -> dict[str, Any]:
    """
    The changes that make the same attempt wait for another launch, in `delay` seconds; `spent` are
    its tasks so far.
    """
    look_at = now + timedelta(seconds=delay)
    return {
        "status": RUNNING if run.past_attempts or run.started_at else PENDING,
        "task_arn": None,
        "event_version": None,
        "pull_started_at": None,
        "launch": run.launch + 1,
        "capacity": capacity.following(run, spent, why, look_at),
        "requested_at": None,
        "refusal": why.as_dict() if why else None,
        "look_at": look_at,
    }


def ended(
    run: RunLike,
    verdict: Verdict,
    now: datetime,
    finished_at: datetime,
    changes: Mapping[str, Any] | None = None,
) -> Step:
    """An attempt has ended: the run is retried, or is over with it."""
    changes = dict(changes or {})
    started = changes.get("attempt_started_at", run.attempt_started_at)
    record = {
        "attempt": run.attempt,
        "task_arn": changes.get("task_arn", run.task_arn),
        "started_at": first_start(run.spent_tasks) or iso(started),
        "finished_at": iso(finished_at),
        "exit_code": verdict.exit_code,
        "error": verdict.error.as_dict() if verdict.error else None,
    }
    billed = changes.pop("billed", run.billed)
    if billed is not None:
        record["billed"] = billed
    if run.capacity is not None:
        record["capacity"] = run.capacity
    if interrupted(run.spent_tasks):
        record["spent_tasks"] = run.spent_tasks
        changes["spent_tasks"] = None
    past = [*(run.past_attempts or []), record]
    changes["past_attempts"] = past
    if not verdict.succeeded and run.attempt < run.max_attempts:
        retry_at = now + backoff(run.attempt)
        following = Attempt(
            attempt=run.attempt + 1,
            launch=run.launch + 1,
            waiting_since=retry_at,
            capacity=capacity.first(run.job_capacity),
        )
        changes |= following.attributes()
        changes |= {"status": RUNNING, "retry_at": retry_at, "look_at": retry_at}
        return Step(changes)
    status = SUCCEEDED if verdict.succeeded else FAILED
    changes |= {
        "status": status,
        "finished_at": finished_at,
        "exit_code": verdict.exit_code,
        "error": verdict.error.as_dict() if verdict.error else None,
        "live": None,
        "look_at": None,
        "retry_at": None,
        "refusal": None,
        "billed": None,  # it is in the attempt's record now
    }
    return Step(changes, outcome=status)
