"""
What a run becomes when a task of it is seen, or when it is cancelled. Pure.

What time and the answers to launches mean for it is in `time_limits`; `state_table` shows all of
it as one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.domain import ecs_task, run_cost, spent_tasks, verdicts
from chalicelib.domain.change import Change
from chalicelib.domain.ecs_task import Task
from chalicelib.domain.run_errors import error
from chalicelib.domain.run_states import CANCELLED, CANCELLING, RUNNING, TERMINAL
from chalicelib.domain.run_step import LOOK_SOON, RunLike, Step, ended, next_look, relaunch
from chalicelib.domain.spent_tasks import MAX_INTERRUPTIONS, MAX_RELAUNCHES
from chalicelib.domain.time_limits import NOT_STARTED, START_LIMIT
from chalicelib.domain.verdicts import Verdict


def seen(run: RunLike, task: Task, now: datetime) -> Step | None:
    """
    What a task, seen by event, by read or by the sweep, means for its run.

    None: nothing new. The order of what is seen does not matter: an older version of the same
    task is ignored, a terminal status is kept, and RUNNING may never be seen.
    """
    if not _is_current(run, task):
        # a task of an earlier attempt or launch: ignore it if it has stopped, stop it if it runs
        return None if task.is_stopped else Step(stop=task.arn)
    if run.event_version is not None and task.version < run.event_version:
        return None
    if run.live is None:
        # the run is over: it was declared lost, or was cancelled before its task was known
        return None if task.is_stopped else Step(stop=task.arn)
    known = {"task_arn": task.arn, "event_version": task.version, "missing_at": None}
    if run.status in TERMINAL:
        if task.is_stopped:
            return _container_ended(run, task, now, known)
        return _still_up(run, task, now)
    if task.is_stopped:
        return _stopped(run, task, now, known)
    if run.stop_reason is not None:
        return _still_up(run, task, now)
    if task.is_started and run.attempt_started_at is None:
        started = task.started_at or now
        changes = {
            **known,
            "status": RUNNING,
            "attempt_started_at": started,
            "started_at": run.started_at or started,
            "pull_started_at": task.pull_started_at or started,
            "seen_at": now,
            "observed_at": now,
            "retry_at": None,
        }
        look_at = next_look(run, started, now)
        if run.look_at is None or look_at < run.look_at:
            changes["look_at"] = look_at  # else a look that comes sooner is left: moving it costs
        return Step(changes)
    if run.task_arn is None or run.missing_at is not None:
        started = run.attempt_started_at
        look_at = now + LOOK_SOON if started is None else next_look(run, started, now)
        return Step({**known, "seen_at": now, "observed_at": now, "look_at": look_at})
    return None


def _is_current(run: RunLike, task: Task) -> bool:
    """Whether a task is that of the run's current attempt and launch."""
    if run.task_arn is not None:
        return bool(task.arn == run.task_arn)
    owner = ecs_task.owner(task.started_by)
    asked = run.requested_at is not None and task.arn not in spent_tasks.arns(run.spent_tasks)
    return asked and owner is not None and owner[2] == run.attempt


def _still_up(run: RunLike, task: Task, now: datetime) -> Step | None:
    """A task that should have been stopped and was seen alive: make sure that it is told."""
    if run.task_arn == task.arn:
        return None  # the sweep repeats StopTask
    changes = {"task_arn": task.arn, "event_version": task.version, "look_at": now + LOOK_SOON}
    return Step(changes, stop=task.arn)


def _container_ended(run: RunLike, task: Task, now: datetime, known: Mapping[str, Any]) -> Step:
    """The container of a run that was cancelled has ended: only now is that known."""
    changes = {
        **known,
        "live": None,
        "look_at": None,
        "finished_at": task.stopped_at or now,
        "exit_code": task.exit_code,
        "attempt_started_at": run.attempt_started_at or task.started_at,
        "started_at": run.started_at or task.started_at,
        "billed": run_cost.with_task(run, task, now),
    }
    return Step(changes, releases_waiting_runs=True)


def _stopped(run: RunLike, task: Task, now: datetime, known: Mapping[str, Any]) -> Step:
    verdict = verdicts.verdict(task)
    started = run.attempt_started_at or task.started_at
    changes = {
        **known,
        "attempt_started_at": started,
        "started_at": run.started_at or started,
        "billed": run_cost.with_task(run, task, now),
        "observed_at": now,
        "seen_at": now,
    }
    if run.stop_reason == "timed_out":
        why = f"The attempt ran longer than {run.timeout_seconds} s and was stopped."
        verdict = Verdict(False, task.exit_code, error("timed_out", why))
    elif run.stop_reason == NOT_STARTED and not verdicts.ended_by_itself(task):
        limit = int(START_LIMIT.total_seconds() // 60)
        why = f"The task had not started after {limit} minutes and was stopped."
        verdict = Verdict(False, task.exit_code, error("start_failed", why))
    else:
        again = _again(run, task, verdict, now)
        if again is not None:
            return Step({**changes, **again})
    return ended(run, verdict, now, task.stopped_at or now, changes)


def _again(run: RunLike, task: Task, verdict: Verdict, now: datetime) -> dict[str, Any] | None:
    """
    The changes that launch the attempt once more, whose task has stopped; None: it has ended.

    After an interruption it is launched at once, and each time limit begins anew.
    """
    before = run.spent_tasks or []
    if verdict.is_interruption:
        if len(spent_tasks.interrupted(before)) >= MAX_INTERRUPTIONS:
            return None
        spent = [*before, spent_tasks.interruption(task, now)]
        again = relaunch(run, now, None, spent, delay=0) | {"waiting_since": now}
        if task.started_at is not None:
            again["status"] = RUNNING  # which may never have been seen
    else:
        failures = len(spent_tasks.not_started(before)) + 1
        if not verdict.may_pass or failures > MAX_RELAUNCHES:
            return None
        spent = [*before, task.arn]
        again = relaunch(run, now, verdict.error, spent, delay=5 * 2**failures)
    return {**again, "spent_tasks": spent, "attempt_started_at": None}


def cancelled(run: RunLike, reason: str, now: datetime, change: Change | None = None) -> Step:
    """
    A run is cancelled for `reason`, at once and for good; `change` is for the audit trail.

    It stays live until its task is known to have stopped. If no task was ever requested, it is over
    at once. If ECS has not answered the launch yet, the sweep looks for a task and stops it.
    """
    assert reason in CANCELLING, reason
    changes: dict[str, Any] = {
        "status": CANCELLED,
        "stop_reason": reason,
        "stopping_since": now,
        "error": error(reason, _cancel_message(reason)).as_dict(),
        "retry_at": None,
        "waits_for": None,
        "refusal": None,
        "observed_at": now,
    }
    if run.task_arn is None and run.requested_at is None:
        changes |= {"live": None, "look_at": None, "finished_at": now}
        return Step(changes, outcome=CANCELLED, change=change)
    changes["look_at"] = now + LOOK_SOON
    return Step(changes, outcome=CANCELLED, stop=run.task_arn, change=change)


def _cancel_message(reason: str) -> str:
    return {
        "cancelled_by_user": "The run was cancelled.",
        "replaced": "The run was cancelled because a newer slot was due.",
        "job_deleted": "The run was cancelled because its job was deleted.",
    }[reason]
