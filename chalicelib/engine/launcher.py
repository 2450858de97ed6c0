"""
The launcher: launches the runs that wait, for the whole stage.

Fargate takes 20 launches a second from an account, so one function at a time launches at that pace;
a lease says which. The projects take turns, and of each project the oldest run comes first, so a
project with 10,000 runs does not hold up one with a single run.

A launcher that dies keeps the lease for LEASE at most; then the next sweep launches on. If two
launched at once all the same, each run would still have one task: the lease is for the pace, and
the run's own lease and client token are for the task.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.cloud.ecs import Ecs
from chalicelib.domain import ecs_task, run_step, spent_tasks, time_limits
from chalicelib.domain.fair_order import fair_order
from chalicelib.engine import at_once
from chalicelib.engine.due_runs import AT_ONCE, DueRuns
from chalicelib.engine.lifecycle import Lifecycle
from chalicelib.engine.scheduler import Scheduler
from chalicelib.settings import Settings
from chalicelib.tables.due_runs import DueRun, DueRunsTable
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.leases import LeasesTable
from chalicelib.tables.run_records import Run
from chalicelib.tables.runs import RunsTable

LAUNCH_INTERVAL = 0.05
"""Seconds between launches: Fargate starts 20 tasks a second, sustained."""
LAUNCHERS = 8
"""Launches at once: as many as it takes to keep that pace when RunTask takes 0.4 s."""
LEASE = timedelta(seconds=30)
"""Longer than AT_ONCE launches take, before which it is prolonged."""
NAME = "launches"
PER_SHARD = 2_000
"""How many of a shard, the longest due first, take turns by project."""
ROUND = 400
"""Launches, 20 seconds' worth, after which it looks again at what waits."""
PAUSE = 1.0
"""Seconds until it looks again where nothing waits."""
PATIENCE = 10
"""How often it looks in vain: other parts of the same sweep may be claiming still."""


@dataclass(slots=True)
class Launcher:
    """Launches what waits, at the pace of the whole stage."""

    jobs_table: JobsTable
    runs_table: RunsTable
    due_runs_table: DueRunsTable
    leases_table: LeasesTable
    due_runs: DueRuns
    lifecycle: Lifecycle
    scheduler: Scheduler
    ecs: Ecs
    settings: Settings
    clock: Clock
    workers: int = LAUNCHERS
    patience: int = PATIENCE

    def turn(self, *, seconds: float) -> int:
        """
        Launch what waits in all shards, until the time is up or nothing has waited for a while.

        Returns how many runs it came to; none where another launcher is at work.
        """
        with self.clock.deadline(seconds):
            lease, pace = _Lease(self.leases_table, self.clock), _Pace(self.clock)
            done = looks = 0
            while lease.is_mine() and looks < self.patience and self.clock.remaining() > PAUSE:
                came_to = self._round(lease, pace)
                done += came_to
                looks = 0 if came_to else looks + 1
                if not came_to:
                    self.clock.sleep(PAUSE)
            lease.give_back()
        return done

    def launch(self, runs: Sequence[Run]) -> None:
        """Launch these, unless another launcher is at work, which then comes to them too."""
        lease, pace = _Lease(self.leases_table, self.clock), _Pace(self.clock)
        ordered = fair_order(sorted(runs, key=lambda run: str(run.run_id)), _project)
        for start in range(0, len(ordered), AT_ONCE):
            if not lease.is_mine():
                break
            self._launch(ordered[start : start + AT_ONCE], pace)
        lease.give_back()

    def _round(self, lease: _Lease, pace: _Pace) -> int:
        """Launch up to ROUND of those that wait now; how many."""
        keys: list[DueRun] = []
        for shard in range(self.settings.shards):
            keys += self.due_runs_table.due(shard, self.clock.now(), PER_SHARD)
        keys = fair_order(sorted(keys, key=lambda key: key.run_id), _project)
        done = 0
        for start in range(0, len(keys), AT_ONCE):
            runs = self.due_runs.read(keys[start : start + AT_ONCE])
            waiting = [run for run in runs if run.live and not run.task_arn]
            if not waiting:
                continue
            if done >= ROUND or self.clock.remaining() < at_once.ENOUGH or not lease.is_mine():
                break
            self._launch(waiting, pace)
            done += len(waiting)
        return done

    def _launch(self, runs: Sequence[Run], pace: _Pace) -> None:
        active = self._without_deleted(runs)
        at_once.each(
            active,
            self._without_task,
            workers=min(self.workers, len(active) or 1),
            clock=self.clock,
            wait=pace.wait,
        )

    def _without_deleted(self, runs: Sequence[Run]) -> list[Run]:
        """
        Cancel what waits for a launch and whose job is being deleted: it must not start any more.

        The deletion does so too, in turns; until it has come to all of them, launchers would launch
        what it has not.
        """
        live = [run for run in runs if not run.is_terminal]
        keys = list(dict.fromkeys((run.project, run.job_id) for run in live))
        active = {job.job_id for job in self.jobs_table.get_many(keys) if job.is_active}
        gone = [run for run in live if run.job_id not in active]
        for run in gone:
            with log.and_continue("run not swept", **run.log_ids):
                self.lifecycle.cancel(run, "job_deleted")
        return [run for run in runs if run not in gone]

    def _without_task(self, run: Run) -> None:
        """Launch a run, or find out what became of its launch."""
        with log.and_continue("run not swept", **run.log_ids):
            now = self.clock.now()
            asked = run.requested_at
            if run.waits_for:
                self._held(run)
            elif asked is not None and (run.is_terminal or now - asked >= time_limits.TOKEN_LIFE):
                self._unanswered(run)
            else:
                self.lifecycle.launch(run)

    def _held(self, run: Run) -> None:
        """
        A run that waits for others. In a line, the further back it stands the later it is looked
        at again; whoever ends launches the next, so this is only for ends that nobody followed.
        """
        live = self.scheduler.let_wait(run)
        fresh = self.runs_table.get(run.job_id, run.run_id)
        if fresh is None or not fresh.waits_for:
            return
        if not fresh.is_held(live):  # more are pending than `release` looks at
            self.lifecycle.launch(fresh)
            return
        behind = 1 + fresh.ahead(live) - fresh.at_most if fresh.at_most else 1
        delay = min(run_step.LOOK_SOON * behind, run_step.LOOK_LATER)
        self.runs_table.change(fresh, {"look_at": self.clock.now() + delay})

    def _unanswered(self, run: Run) -> None:
        """A launch whose answer never came: look for its task by what it was started by."""
        started_by = ecs_task.started_by(run.job_id, run.run_id, int(run.attempt))
        found = self.ecs.launched(self.settings.family(run.job_id), started_by)
        spent = spent_tasks.arns(run.spent_tasks)
        tasks = [task for task in found if task.arn not in spent]
        if tasks:
            for task in tasks:
                self.lifecycle.apply_task(task)
            return
        launched = (run.attempt, run.launch)
        self.lifecycle.settle(
            run,
            lambda r: (
                time_limits.unanswered(r, self.clock.now())
                if r.live and r.task_arn is None and (r.attempt, r.launch) == launched
                else None
            ),
        )


def _project(due: DueRun | Run) -> str:
    return str(due.project)


class _Lease:
    """One launcher's hold of the lease."""

    def __init__(self, table: LeasesTable, clock: Clock) -> None:
        self._table, self._clock = table, clock
        self._holder = uuid.uuid4().hex
        self._is_held = False

    def is_mine(self) -> bool:
        """Take or prolong it. False: another launcher is at work."""
        now = self._clock.now()
        self._is_held = self._table.take(NAME, self._holder, now, now + LEASE)
        return self._is_held

    def give_back(self) -> None:
        """So that the next launcher need not wait. One that dies before leaves that to the time."""
        if self._is_held:
            self._table.give_back(NAME, self._holder, self._clock.now())


class _Pace:
    """Launches no faster than Fargate takes them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._last = 0.0

    def wait(self) -> None:
        """Until the next launch may be made."""
        ahead = self._last + LAUNCH_INTERVAL - self.clock.monotonic()
        if ahead > 0:
            self.clock.sleep(ahead)
        self._last = self.clock.monotonic()
