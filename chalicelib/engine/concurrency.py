"""
How many runs of a job may be in flight, and what a run that finds so many does: `forbid`,
`replace` and `queue`. Pure.

What is in flight is read together with the job's gate, and the claim is made on condition of the
gate. So each claim has seen every one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain import run_step
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import Run

LONGEST_LINE = 100
"""`queue`: how many may wait."""


def room(job: Job) -> int:
    """How many runs may be in flight before the job's policy acts."""
    return int(job.spec.get("max_concurrent_runs", 1))  # absent in what an older version stored


def surplus(job: Job, in_flight: Sequence[str]) -> list[str]:
    """The first of those in flight, which must end so that one more may start."""
    return list(in_flight[: max(0, len(in_flight) - room(job) + 1)])


def is_line_full(job: Job, in_flight: Sequence[str]) -> bool:
    """Whether as many wait as may."""
    return len(in_flight) >= room(job) + LONGEST_LINE


def line_up(run: Run, job: Job, in_flight: Sequence[str], now: datetime) -> None:
    """
    Let a new run of a `queue` job wait for its turn, if it must.

    It starts once fewer than `at_most` of the runs that were claimed before it are in flight. All
    that were claimed before those are among them too, so the turns come in the order of the claims.
    """
    run.at_most = room(job)
    if len(in_flight) >= run.at_most:
        run.waits_for = list(in_flight)
        run.requested_at, run.look_at = None, now + run_step.LOOK_SOON
