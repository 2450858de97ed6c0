"""
What a task is launched on: Fargate on demand, or Fargate Spot, which may interrupt it. Pure.

Every launch has one capacity from when its number is set, since ECS refuses a client token that
comes again with other parameters. It is stored as SPOT, and None for on demand, which is also what
a run of an older version has.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol

from chalicelib.domain.run_errors import RunError
from chalicelib.domain.spent_tasks import MAX_RELAUNCHES, Spent, interrupted, not_started

ON_DEMAND = "on_demand"
SPOT = "spot"
SPOT_THEN_ON_DEMAND = "spot_then_on_demand"

ON_DEMAND_AFTER = 2
"""Interruptions of an attempt after which `spot_then_on_demand` goes on without Spot."""
NO_SPOT_FOR = timedelta(minutes=5)
"""How long it waits for Spot capacity."""


class RunLike(Protocol):
    """What of a run is read here; tables.run_records.Run is one."""

    job_capacity: Any
    capacity: Any
    waiting_since: Any


def first(job_capacity: str | None) -> str | None:
    """What an attempt's first launch is on."""
    return SPOT if job_capacity in (SPOT, SPOT_THEN_ON_DEMAND) else None


def following(run: RunLike, spent: Spent, why: RunError | None, at: datetime) -> str | None:
    """
    What the next launch of a run's attempt is on, which will be made `at` some time because the
    last one failed for `why`, or was interrupted. An attempt does not go back to Spot.
    """
    if run.capacity is None or run.job_capacity != SPOT_THEN_ON_DEMAND:
        return run.capacity  # type: ignore[no-any-return]  # as it is stored
    if len(interrupted(spent)) >= ON_DEMAND_AFTER:
        return None
    is_last = len(not_started(spent)) >= MAX_RELAUNCHES
    has_waited = is_last or at - run.waiting_since >= NO_SPOT_FOR
    has_no_capacity = why is not None and why.code == "capacity_unavailable"
    return None if has_no_capacity and has_waited else SPOT
