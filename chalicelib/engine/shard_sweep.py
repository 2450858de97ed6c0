"""What is due in a shard of the two sparse indexes: slots to be claimed, tasks, deletes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.domain.fair_order import fair_order
from chalicelib.domain.sweep_parts import ShardPart
from chalicelib.engine import at_once
from chalicelib.engine.deletion import ENOUGH, Deletion
from chalicelib.engine.due_runs import AT_ONCE, DueRuns
from chalicelib.engine.scheduler import Scheduler
from chalicelib.tables.due_runs import DueRunsTable
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.records import Job

T = TypeVar("T")

TURN = 50.0
"""Seconds: less than a minute, so that turns seldom overlap."""
CLAIMS = 8
"""Slots that are claimed at once: a claim is two writes, most of which is waiting."""
PAGE = 1_000
"""Jobs, the longest due first, among which the projects take turns."""
SHARE = 0.4
"""Of a turn that the schedules may take at most; then the runs may take all but DELETES."""
CLAIMS_SHARE = 0.7
"""The same of a part's turn: its runs have only to be asked about, and others launch them."""
DELETES = 10.0
"""Seconds of a turn kept for deletes, and what each may take at most."""


@dataclass(slots=True)
class ShardSweep:
    """Does what is due for jobs and runs, but launches what waits."""

    jobs_table: JobsTable
    due_runs_table: DueRunsTable
    due_runs: DueRuns
    scheduler: Scheduler
    deletion: Deletion
    clock: Clock
    workers: int = CLAIMS

    def turn(self, part: ShardPart, until: datetime, *, seconds: float = TURN) -> dict[str, int]:
        """
        All that is due in a share of a shard; how many jobs and runs it looked at.

        The slots first: each run is claimed and left to the launcher, since one function cannot
        both claim hundreds a second and keep the stage's pace. What fails, as it does while the
        tables are throttled, is tried again in the same turn. A turn that dies, or never comes,
        leaves the rest in the index, for the next sweep; one that comes twice finds it done.
        """
        jobs = runs = 0
        deleting: list[Job] = []
        failed: list[Job] = []
        with self.clock.deadline(seconds):
            with log.and_continue("jobs not swept"), self.clock.deadline(seconds * CLAIMS_SHARE):
                for found in self._due_jobs(part, until):
                    jobs += len(found)
                    active = [job for job in found if job.is_active]
                    failed += self.schedules(active, until, leaves_launches=True)
                    deleting += [job for job in found if not job.is_active]
                self._again(failed, until)
            left = self.clock.remaining() - DELETES
            with log.and_continue("runs not swept"), self.clock.deadline(left):
                due = self.due_runs_table.all_due(part.shard, self.clock.now())
                for keys in _lists((key for key in due if part.has(key.run_id)), AT_ONCE):
                    if self.clock.remaining() < ENOUGH:
                        break
                    runs += len(keys)
                    _, over = self.due_runs.look(keys)
                    self.due_runs.announce(over)
            self.deletes(deleting)
        return {"jobs": jobs, "runs": runs}

    def _again(self, failed: list[Job], until: datetime) -> None:
        """Advance the schedules that could not be, after pauses, while there is time for them."""
        for number in self.clock.tries(None, first=2.0, longest=8.0, spare=ENOUGH):
            if number:
                keys = [(job.pk, job.job_id) for job in failed]
                due = [job for job in self.still_due(keys, until) if job.is_active]
                failed = self.schedules(due, until, leaves_launches=True)
            if not failed:
                return

    def _due_jobs(self, part: ShardPart, until: datetime) -> Iterator[list[Job]]:
        """The jobs of a share that are due, by the hundred, the projects taking turns."""
        for page in _lists(self.jobs_table.all_due(part.shard, until), PAGE):
            keys = fair_order((key for key in page if part.has(key[1])), lambda key: key[0])
            for some in _lists(keys, AT_ONCE):
                if self.clock.remaining() < ENOUGH:
                    return
                yield self.still_due(some, until)

    def still_due(self, keys: Sequence[tuple[str, str]], until: datetime) -> list[Job]:
        """Those that are due, as they are now: the index that named them lags."""
        jobs = self.jobs_table.get_many(keys)
        return [job for job in jobs if job.work_at is not None and job.work_at <= until]

    def schedules(
        self, jobs: Sequence[Job], until: datetime, *, leaves_launches: bool = False
    ) -> list[Job]:
        """
        Advance the schedules that have no rules, or whose rules did not fire; returns the jobs of
        those that failed.
        """
        failed: list[Job] = []

        def advance(job: Job) -> None:
            failed.append(job)
            with log.and_continue("schedule not swept", job_id=job.job_id):
                self.scheduler.advance(job, until, leaves_launches=leaves_launches)
                failed.remove(job)

        workers = min(self.workers, len(jobs) or 1)
        at_once.each(jobs, advance, workers=workers, clock=self.clock)
        return failed

    def deletes(self, jobs: Sequence[Job]) -> None:
        """Go on with deletes, each for a while only."""
        for job in jobs:
            if self.clock.remaining() < ENOUGH:
                return
            with (
                log.and_continue("delete not swept", job_id=job.job_id),
                self.clock.deadline(DELETES),
            ):
                self.deletion.turn(job)


def _lists(items: Iterable[T], size: int) -> Iterator[list[T]]:
    ahead = iter(items)
    while found := list(islice(ahead, size)):
        yield found
