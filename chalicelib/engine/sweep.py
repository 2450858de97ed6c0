"""
The sweep: does every minute what events and callers left undone.

It works from two sparse indexes, so its cost follows what is in flight or due, never the
history. Each item is read again before it is acted on, since a global index lags; each act is a
conditional write or a call that may be repeated, so two sweeps at once are safe. An item that
fails is logged and keeps its place in the index; it does not hold up the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.cloud.ecs import Described, Ecs
from chalicelib.domain import ecs_task, run_step, time_limits
from chalicelib.domain.ecs_task import Task
from chalicelib.engine.deletion import ENOUGH, Deletion
from chalicelib.engine.lifecycle import Lifecycle
from chalicelib.engine.scheduler import Scheduler
from chalicelib.settings import Settings
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import Run
from chalicelib.tables.runs import RunsTable

TURN = 50.0
"""Seconds: less than a minute, so that turns seldom overlap."""
PER_SHARD = 100
AT_ONCE = 100
"""Runs that are read, and asked about by one DescribeTasks, between two looks at the time."""
LAUNCH_INTERVAL = 0.05
"""Seconds between launches: Fargate starts 20 tasks a second, sustained."""
LAUNCHERS = 8
"""Launches at once: as many as it takes to keep that pace when RunTask takes 0.4 s."""
SHARE = 0.4
"""Of a turn that the schedules may take at most; then the runs may take all but DELETES."""
DELETES = 10.0
"""Seconds of a turn kept for deletes, and what each may take at most."""


@dataclass(slots=True)
class Sweep:
    """One turn of the sweep, from the two sparse indexes."""

    jobs_table: JobsTable
    runs_table: RunsTable
    lifecycle: Lifecycle
    scheduler: Scheduler
    deletion: Deletion
    ecs: Ecs
    settings: Settings
    clock: Clock
    launchers: int = LAUNCHERS

    def turn(self, minute: datetime | None = None, *, seconds: float = TURN) -> dict[str, int]:
        """
        One turn: how many jobs and runs it looked at.

        `minute` is the one that it was called for; this machine's clock may not have come to it
        yet, so slots are due up to the later of the two.

        Schedules, then runs, then deletes, each within its share of the turn, so that no backlog of
        one starves the others.
        """
        jobs: list[Job] = []
        runs = 0
        with self.clock.deadline(seconds):
            with log.and_continue("jobs not swept"), self.clock.deadline(seconds * SHARE):
                until = max(self.clock.now(), minute or self.clock.now())
                jobs = self._due_jobs(until)
                self._schedules([job for job in jobs if job.is_active], until)
            left = self.clock.remaining() - DELETES
            with log.and_continue("runs not swept"), self.clock.deadline(left):
                runs = self._look_at_runs()
            self._deletes([job for job in jobs if not job.is_active])
        if jobs or runs:
            log.info("swept", jobs=len(jobs), runs=runs)
        return {"jobs": len(jobs), "runs": runs}

    def _due_jobs(self, until: datetime) -> list[Job]:
        """The jobs with something due, as they are now, the longest due first."""
        keys = []
        for shard in range(self.settings.shards):
            keys += self.jobs_table.due(shard, until, PER_SHARD)
        jobs = self.jobs_table.get_many(keys)
        due = [(job.work_at, job) for job in jobs if job.work_at and job.work_at <= until]
        return [job for _, job in sorted(due, key=itemgetter(0))]

    def _schedules(self, jobs: Sequence[Job], until: datetime) -> None:
        """Advance the schedules that have no rules, or whose rules did not fire."""
        for job in jobs:
            if self.clock.remaining() < ENOUGH:
                return
            with log.and_continue("schedule not swept", job_id=job.job_id):
                self.scheduler.advance(job, until)

    def _deletes(self, jobs: Sequence[Job]) -> None:
        """Go on with deletes, each for a while only."""
        for job in jobs:
            if self.clock.remaining() < ENOUGH:
                return
            with (
                log.and_continue("delete not swept", job_id=job.job_id),
                self.clock.deadline(DELETES),
            ):
                self.deletion.turn(job)

    def _look_at_runs(self) -> int:
        """Ask about the runs that have a task first, then launch what waits, the oldest first."""
        due = []
        for shard in range(self.settings.shards):
            due += self.runs_table.due(shard, self.clock.now(), PER_SHARD)
        due.sort(key=itemgetter(1))  # run ids sort by time
        waiting = []
        for start in range(0, len(due), AT_ONCE):
            if self.clock.remaining() < ENOUGH:
                break
            now = self.clock.now()
            found = self.runs_table.get_many(due[start : start + AT_ONCE])
            runs = [run for run in found if run.look_at is not None and run.look_at <= now]
            waiting += [run for run in runs if not (run.live and run.task_arn)]
            self._ask([run for run in runs if run.live and run.task_arn])
        self._cancel_of_deleted([run for run in waiting if run.live and not run.is_terminal])
        # what is over and only has its event to send must not be in the way of what is not
        self._each([run for run in waiting if run.live], _Pace(self.clock).wait)
        self._each([run for run in waiting if not run.live], _no_wait)
        return len(due)

    def _cancel_of_deleted(self, runs: Sequence[Run]) -> None:
        """
        Cancel what waits for a launch and whose job is being deleted: it must not start any more.

        The deletion does so too, in turns; until it has come to all of them, this sweep and
        others would launch what it has not.
        """
        keys = list(dict.fromkeys((run.project, run.job_id) for run in runs))
        active = {job.job_id for job in self.jobs_table.get_many(keys) if job.is_active}
        for run in runs:
            if run.job_id not in active:
                with log.and_continue("run not swept", **run.log_ids):
                    self.lifecycle.cancel(run, "job_deleted")

    def _each(self, runs: Sequence[Run], wait: Callable[[], None]) -> None:
        """
        Do what is due for runs without a task, several at once, begun in their order.

        One RunTask takes much longer than LAUNCH_INTERVAL, so one after the other would launch far
        less than Fargate takes.
        """
        from concurrent.futures import ThreadPoolExecutor  # at first use: a request never needs it

        ahead = iter(runs)
        turn = threading.Lock()

        def work() -> None:
            while True:
                with turn:
                    run = next(ahead, None)
                    if run is None or self.clock.remaining() < ENOUGH:
                        return
                    wait()
                with log.and_continue("run not swept", **run.log_ids):
                    self._without_task(run)

        workers = min(self.launchers, len(runs))
        with ThreadPoolExecutor(max(1, workers)) as pool:
            working = [pool.submit(copy_context().run, work) for _ in range(workers)]
        for each in working:
            each.result()

    def _ask(self, runs: Sequence[Run]) -> None:
        """Do what is due for runs with a task, after asking ECS about all of them at once."""
        if not runs:
            return
        described = Described({}, frozenset())
        with log.and_continue("tasks not described"):
            described = self.lifecycle.describe_tasks(runs)
        for run in runs:
            with log.and_continue("run not swept", **run.log_ids):
                task = described.tasks.get(str(run.task_arn))
                fresh = self.lifecycle.apply_description(run, described)
                if fresh is not None:
                    self._after_answer(fresh, task)

    def _after_answer(self, run: Run, task: Task | None) -> None:
        """A run with a task, and that as ECS has just shown it: stop what must stop, look again."""
        now = self.clock.now()
        if run.live is None or run.task_arn is None:
            self.lifecycle.announce(run)
            return
        if run.stop_reason is not None:
            # it should be stopping: StopTask may be repeated
            self.lifecycle.stop(run, run.task_arn)
            seen = {} if task is None else {"seen_at": now, "observed_at": now}
            self.runs_table.change(run, {"look_at": now + run_step.LOOK_SOON, **seen})
        elif time_limits.overdue(run, now) is not None:
            self.lifecycle.settle(run, lambda r: time_limits.overdue(r, self.clock.now()))
        elif task is not None and run.look_at is not None and run.look_at <= now:
            started = run.attempt_started_at
            soon = now + run_step.LOOK_SOON
            look_at = soon if started is None else run_step.next_look(run, started, now)
            # ECS knows its task, and there is nothing to do: somebody else's write is as good
            self.runs_table.change(run, {"look_at": look_at, "observed_at": now, "seen_at": now})

    def _without_task(self, run: Run) -> None:
        """A run that is over and has an event to send, or one that has no task yet."""
        now = self.clock.now()
        if run.live is None:
            self.lifecycle.announce(run)
            return
        if run.waits_for:
            self.scheduler.replace(run)
            fresh = self.runs_table.get(run.job_id, run.run_id)
            if fresh is not None and fresh.waits_for:
                self.runs_table.change(fresh, {"look_at": now + run_step.LOOK_SOON})
            return
        asked = run.requested_at
        if asked is not None and (run.is_terminal or now - asked >= time_limits.TOKEN_LIFE):
            self._unanswered(run)
            return
        self.lifecycle.launch(run)

    def _unanswered(self, run: Run) -> None:
        """A launch whose answer never came: look for its task by what it was started by."""
        started_by = ecs_task.started_by(run.job_id, run.run_id, int(run.attempt))
        found = self.ecs.launched(self.settings.family(run.job_id), started_by)
        tasks = [task for task in found if task.arn not in (run.spent_tasks or [])]
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


def _no_wait() -> None:
    """What is not launched needs no pace."""


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
