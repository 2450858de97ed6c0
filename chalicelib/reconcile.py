"""
The sweep: every minute, whatever events and callers left undone.

It works from two sparse indexes, so its cost follows what is in flight or due, never the
history. Each item is read again before it is acted on, since a global index lags; each act is a
conditional write or a call that may be repeated, so two sweeps at once are safe. An item that
fails is logged and keeps its place in the index; it does not hold up the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from operator import itemgetter

from chalicelib import deletion, lifecycle, log, scheduler, states, transitions
from chalicelib.cloud import aws
from chalicelib.cloud.ecs import Described
from chalicelib.services import Services
from chalicelib.states import Task
from chalicelib.tables import jobs as jobs_table
from chalicelib.tables import runs as table
from chalicelib.tables.records import SHARDS, Job, Run

TURN = 50.0
"""Seconds: less than a minute, so that turns seldom overlap."""
PER_SHARD = 100
LAUNCH_INTERVAL = 0.05
"""Seconds between launches: Fargate starts 20 tasks a second, sustained."""
LAUNCHERS = 8
"""Launches at once: as many as it takes to keep that pace when RunTask takes 0.4 s."""
SHARE = 0.4
"""Of a turn that the schedules may take at most; then the runs may take all but DELETES."""
DELETES = 10.0
"""Seconds of a turn kept for deletes, and what each may take at most."""


def sweep(*, on: Services, seconds: float = TURN) -> dict[str, int]:
    """
    One turn: how many jobs and runs it looked at.

    Schedules, then runs, then deletes, each within its share of the turn, so that no backlog of
    one starves the others.
    """
    jobs: list[Job] = []
    runs = 0
    with aws.deadline(seconds):
        with log.going_on("jobs not swept"), aws.deadline(seconds * SHARE):
            jobs = _jobs(on=on)
            _schedules([job for job in jobs if job.state == jobs_table.ACTIVE], on=on)
        with log.going_on("runs not swept"), aws.deadline(aws.remaining() - DELETES):
            runs = _runs(on=on)
        _deletes([job for job in jobs if job.state == jobs_table.DELETING], on=on)
    if jobs or runs:
        log.info("swept", jobs=len(jobs), runs=runs)
    return {"jobs": len(jobs), "runs": runs}


def _jobs(*, on: Services) -> list[Job]:
    """The jobs with something due, as they are now, the longest due first."""
    keys = []
    for shard in range(SHARDS):
        keys += jobs_table.due(shard, on.now(), PER_SHARD)
    jobs = []
    for start in range(0, len(keys), 100):
        jobs += jobs_table.get_many(keys[start : start + 100])
    due = [(job.work_at, job) for job in jobs if job.work_at and job.work_at <= on.now()]
    return [job for _, job in sorted(due, key=itemgetter(0))]


def _schedules(jobs: Sequence[Job], *, on: Services) -> None:
    """Advance the schedules whose slot nothing has told of."""
    for job in jobs:
        if aws.remaining() < deletion.ENOUGH:
            return
        with log.going_on("schedule not swept", job_id=job.job_id):
            scheduler.advance(job, on.now(), on=on)


def _deletes(jobs: Sequence[Job], *, on: Services) -> None:
    """Go on with deletes, each for a while only."""
    for job in jobs:
        if aws.remaining() < deletion.ENOUGH:
            return
        with log.going_on("delete not swept", job_id=job.job_id), aws.deadline(DELETES):
            deletion.turn(job, on=on)


def _runs(*, on: Services) -> int:
    """Ask about the runs that have a task first, then launch what waits, the oldest first."""
    due = []
    for shard in range(SHARDS):
        due += table.due(shard, on.now(), PER_SHARD)
    due.sort(key=itemgetter(1))  # run ids sort by time
    waiting = []
    for start in range(0, len(due), 100):
        if aws.remaining() < deletion.ENOUGH:
            break
        now = on.now()
        found = table.get_many(due[start : start + 100])
        runs = [run for run in found if run.look_at is not None and run.look_at <= now]
        waiting += [run for run in runs if not (run.live and run.task_arn)]
        _ask([run for run in runs if run.live and run.task_arn], on=on)
    # what is over and only has its event to send must not be in the way of what is not
    _each([run for run in waiting if run.live], _Pace().wait, on=on)
    _each([run for run in waiting if not run.live], _no_wait, on=on)
    return len(due)


def _each(runs: Sequence[Run], wait: Callable[[], None], *, on: Services) -> None:
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
                if run is None or aws.remaining() < deletion.ENOUGH:
                    return
                wait()
            with log.going_on("run not swept", job_id=run.job_id, run_id=run.run_id):
                _without_task(run, on=on)

    workers = min(LAUNCHERS, len(runs))
    with ThreadPoolExecutor(LAUNCHERS) as pool:
        working = [pool.submit(copy_context().run, work) for _ in range(workers)]
    for each in working:
        each.result()


def _no_wait() -> None:
    """What is not launched needs no pace."""


class _Pace:
    """Launches no faster than Fargate takes them."""

    def __init__(self) -> None:
        self._last = 0.0

    def wait(self) -> None:
        """Until the next launch may be made."""
        ahead = self._last + LAUNCH_INTERVAL - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        self._last = time.monotonic()


def _ask(runs: Sequence[Run], *, on: Services) -> None:
    """Do what is due for at most 100 runs with a task, after asking about all in one call."""
    if not runs:
        return
    described = Described({}, frozenset())
    with log.going_on("tasks not described"):
        described = lifecycle.ask(runs, on=on)
    for run in runs:
        with log.going_on("run not swept", job_id=run.job_id, run_id=run.run_id):
            task = described.tasks.get(str(run.task_arn))
            fresh = lifecycle.told(run, described, on=on)
            if fresh is not None:
                _after_answer(fresh, task, on=on)


def _after_answer(run: Run, task: Task | None, *, on: Services) -> None:
    """A run with a task, and that as ECS has just shown it: stop what must stop, look again."""
    now = on.now()
    if run.live is None or run.task_arn is None:
        lifecycle.announce(run, on=on)
        return
    if run.stop_reason is not None:
        # it should be stopping: StopTask may be repeated
        lifecycle.stop(run, run.task_arn, on=on)
        seen = {} if task is None else {"seen_at": now, "observed_at": now}
        table.change(run, {"look_at": now + transitions.LOOK_SOON, **seen})
    elif transitions.overdue(run, now) is not None:
        lifecycle.settle(run, lambda r: transitions.overdue(r, on.now()), on=on)
    elif task is not None and run.look_at is not None and run.look_at <= now:
        started = run.attempt_started_at
        soon = now + transitions.LOOK_SOON
        look_at = soon if started is None else transitions.next_look(run, started, now)
        # ECS knows its task, and there is nothing to do: somebody else's write is as good
        table.change(run, {"look_at": look_at, "observed_at": now, "seen_at": now})


def _without_task(run: Run, *, on: Services) -> None:
    """A run that is over and has an event to send, or one that has no task yet."""
    now = on.now()
    if run.live is None:
        lifecycle.announce(run, on=on)
        return
    if run.waits_for:
        scheduler.replace(run, on=on)
        fresh = table.get(run.job_id, run.run_id)
        if fresh is not None and fresh.waits_for:
            table.change(fresh, {"look_at": now + transitions.LOOK_SOON})
        return
    asked = run.requested_at
    if asked is not None and (run.is_terminal or now - asked >= transitions.TOKEN_LIFE):
        _unanswered(run, on=on)
        return
    lifecycle.launch(run, on=on)


def _unanswered(run: Run, *, on: Services) -> None:
    """A launch whose answer never came: look for its task by what it was started by."""
    started_by = states.started_by(run.job_id, run.run_id, int(run.attempt))
    found = on.ecs.launched(on.settings.family(run.job_id), started_by)
    tasks = [task for task in found if task.arn not in (run.spent_tasks or [])]
    if tasks:
        for task in tasks:
            lifecycle.task_seen(task, on=on)
        return
    launched = (run.attempt, run.launch)
    lifecycle.settle(
        run,
        lambda r: (
            transitions.unanswered(r, on.now())
            if r.live and r.task_arn is None and (r.attempt, r.launch) == launched
            else None
        ),
        on=on,
    )
