"""
The sweep: every minute, whatever events and callers left undone.

It works from two sparse indexes, so its cost follows what is in flight or due, never the
history. Each item is read again before it is acted on, since a global index lags; each act is a
conditional write or a call that may be repeated, so two sweeps at once are safe. An item that
fails is logged and keeps its place in the index; it does not hold up the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from botocore.exceptions import ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib import deletion, lifecycle, log, scheduler, states, transitions
from chalicelib.cloud import aws
from chalicelib.errors import JobyardError
from chalicelib.services import Services
from chalicelib.tables import jobs as jobs_table
from chalicelib.tables import runs as table
from chalicelib.tables.records import SHARDS, Run

TURN = 50.0
"""Seconds: less than a minute, so that turns seldom overlap."""
PER_SHARD = 100
LAUNCH_INTERVAL = 0.05
"""Seconds between launches: Fargate starts 20 tasks a second, sustained."""

FAILURES = (JobyardError, ClientError, PynamoDBException)
"""What an item may fail with; anything else is a defect and ends the turn, loudly."""


def sweep(*, on: Services, seconds: float = TURN) -> dict[str, int]:
    """One turn: how many jobs and runs it looked at."""
    with aws.deadline(seconds):
        jobs = _jobs(on=on)
        runs = _runs(on=on)
    if jobs or runs:
        log.info("swept", jobs=jobs, runs=runs)
    return {"jobs": jobs, "runs": runs}


def _jobs(*, on: Services) -> int:
    """Advance the schedules whose slot nothing has told of, and go on with deletes."""
    due = []
    for shard in range(SHARDS):
        due += jobs_table.due(shard, on.now(), PER_SHARD)
    for project, job_id in due:
        if aws.remaining() < deletion.ENOUGH:
            break
        try:
            job = jobs_table.get(project, job_id)
            if job is None or job.work_at is None or job.work_at > on.now():
                continue
            if job.state == jobs_table.DELETING:
                deletion.turn(job, on=on)
            else:
                scheduler.advance(job, on.now(), on=on)
        except FAILURES as error:
            log.error("job not swept", job_id=job_id, reason=str(error))
    return len(due)


def _runs(*, on: Services) -> int:
    due = []
    for shard in range(SHARDS):
        due += table.due(shard, on.now(), PER_SHARD)
    due.sort(key=lambda key: key[1])  # run ids sort by time: the oldest is launched first
    pace = _Pace()
    for start in range(0, len(due), 100):
        if aws.remaining() < deletion.ENOUGH:
            break
        runs = table.get_many(due[start : start + 100])
        now = on.now()
        look(
            [run for run in runs if run.look_at is not None and run.look_at <= now],
            pace,
            on=on,
        )
    return len(due)


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


def look(runs: Sequence[Run], pace: _Pace, *, on: Services) -> None:
    """Do what is due for at most 100 runs: ask about those with a task in one call."""
    asked = [run for run in runs if run.live and run.task_arn]
    told = lifecycle.refresh(asked, on=on)
    for run in told:
        _one(run, lambda run: _after_answer(run, on=on))
    for run in runs:
        if not (run.live and run.task_arn):
            if aws.remaining() < deletion.ENOUGH:
                return
            _one(run, lambda run: _without_task(run, pace, on=on))


def _one(run: Run, act: Callable[[Run], None]) -> None:
    try:
        act(run)
    except FAILURES as error:
        log.error("run not swept", job_id=run.job_id, run_id=run.run_id, reason=str(error))


def _after_answer(run: Run, *, on: Services) -> None:
    """A run with a task, as ECS has just said: stop what must stop, and look again later."""
    now = on.now()
    if run.live is None or run.task_arn is None:
        lifecycle.announce(run, on=on)
        return
    if run.stop_reason is not None:
        # it should be stopping: StopTask may be repeated
        lifecycle.stop(run, run.task_arn, on=on)
        _later(run, now + transitions.LOOK_SOON, now)
    elif transitions.overdue(run, now) is not None:
        lifecycle.settle(run, lambda r: transitions.overdue(r, on.now()), on=on)
    elif run.look_at is not None and run.look_at <= now:
        started = run.attempt_started_at
        soon = now + transitions.LOOK_SOON
        _later(run, soon if started is None else transitions.next_look(run, started, now), now)


def _later(run: Run, look_at: datetime, now: datetime) -> None:
    """ECS knows its task, and there is nothing to do: somebody else's write is as good."""
    table.change(run, {"look_at": look_at, "observed_at": now, "seen_at": now})


def _without_task(run: Run, pace: _Pace, *, on: Services) -> None:
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
    pace.wait()
    lifecycle.launch(run, on=on)
    _postpone(run, on=on)


def _postpone(run: Run, *, on: Services) -> None:
    """A launch that got no answer again leaves `look_at` as it was: put it off."""
    if run.task_arn is None and run.look_at is not None and run.look_at <= on.now():
        table.change(run, {"look_at": on.now() + transitions.LOOK_SOON})


def _unanswered(run: Run, *, on: Services) -> None:
    """A launch whose answer never came: look for its task by what it was started by."""
    started_by = states.started_by(run.job_id, run.run_id, int(run.attempt))
    arns = [arn for arn in on.ecs.started(started_by) if arn not in (run.spent_tasks or [])]
    if arns:
        for task in on.ecs.describe(arns[:100]).tasks.values():
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
