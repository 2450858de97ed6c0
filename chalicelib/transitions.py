"""
What a run becomes when something is learnt about it. Pure: a run as read, in; a `Step`, out.

Every step is stored on condition that the run is still as it was read, so the functions here
may look at the run alone and need not think of who else is at work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from chalicelib import states
from chalicelib.refusals import Refusal
from chalicelib.states import (
    CANCELLED,
    CANCELLING,
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    RunError,
    Task,
    Verdict,
)

LOOK_SOON = timedelta(seconds=60)
"""After something was asked for whose answer should come as an event."""
LOOK_LATER = timedelta(minutes=10)
"""The longest that a run in flight goes unlooked at."""
LAUNCH_LEASE = timedelta(seconds=45)
"""How long one launcher has before another repeats its RunTask, with the same token: longer than
a write and RunTask together may take, with every attempt timing out."""
TOKEN_LIFE = timedelta(minutes=50)
"""A RunTask without an answer is repeated this long: ECS keeps the token at least an hour."""
START_LIMIT = timedelta(minutes=60)
LOST_AFTER_SEEN = timedelta(hours=1)
LOST_BETWEEN = timedelta(minutes=10)
MAX_RELAUNCHES = 5
"""How often one attempt is launched again after a failure to start that may pass."""
UNKNOWN_LAUNCH = timedelta(minutes=5)
"""How long a run that was cancelled while its launch was unanswered is watched for a task: far
longer than any function of ours that could still be asking for it may run."""
NOT_STARTED = "not_started"
"""Reason to stop a task that takes longer than START_LIMIT to start."""


class RunLike(Protocol):
    """What of a run the transitions read; tables.records.Run is one."""

    status: Any
    live: Any
    attempt: Any
    launch: Any
    max_attempts: Any
    task_arn: Any
    event_version: Any
    started_at: Any
    attempt_started_at: Any
    past_attempts: Any
    spent_tasks: Any
    stop_reason: Any
    stopping_since: Any
    requested_at: Any
    waiting_since: Any
    refusal: Any
    timeout_seconds: Any
    seen_at: Any
    missing_at: Any
    finished_at: Any
    created_at: Any
    scheduled_for: Any


@dataclass(frozen=True, slots=True)
class Step:
    """What to store, and what follows once it is stored."""

    changes: dict[str, Any] = field(default_factory=dict)
    outcome: str | None = None
    """Set when the run becomes terminal: what to count it as."""
    stop: str | None = None
    """ARN of a task that must not go on."""
    frees: bool = False
    """A cancelled run's container has ended: what waited for it may go."""


def iso(at: datetime | None) -> str | None:
    """RFC 3339, UTC, milliseconds: how times stand in records' JSON and in every answer."""
    if at is None:
        return None
    # ten times as fast as strftime, and a page of runs has hundreds of times
    return f"{at.isoformat(timespec='milliseconds')[:23]}Z"


def backoff(attempt: int) -> timedelta:
    """Before the retry that follows `attempt`: 10 s, doubling to at most 6 min."""
    return timedelta(seconds=min(10 * 2 ** (attempt - 1), 360))


def next_look(run: RunLike, started_at: datetime, now: datetime) -> datetime:
    """When to look at a running one again: its time-out, or LOOK_LATER."""
    return min(now + LOOK_LATER, started_at + timedelta(seconds=run.timeout_seconds))


def start_delay(run: RunLike) -> float | None:
    """Seconds from when a run was asked for, or due, to its first container; None: it had none."""
    if run.started_at is None:
        return None
    delay: timedelta = run.started_at - (run.scheduled_for or run.created_at)
    return delay.total_seconds()


def seen(run: RunLike, task: Task, now: datetime) -> Step | None:
    """
    What a task, seen by event, by read or by the sweep, means for its run.

    None: nothing new. The order of what is seen does not matter: an older version of the same
    task is ignored, a terminal status is kept, and RUNNING may never be seen.
    """
    if not _is_current(run, task):
        # an earlier attempt's or launch's task: its story is told; alive, it must not go on
        return None if task.is_stopped else Step(stop=task.arn)
    if run.event_version is not None and task.version < run.event_version:
        return None
    if run.live is None:
        # nobody waits for it any more: it was given up for lost, or cancelled before it was known
        return None if task.is_stopped else Step(stop=task.arn)
    known = {"task_arn": task.arn, "event_version": task.version, "missing_at": None}
    if run.status in states.TERMINAL:
        if task.is_stopped:
            return _container_ended(run, task, now, known)
        return _still_up(run, task, now)
    if task.is_stopped:
        return _stopped(run, task, now, known)
    if run.stop_reason is not None:
        return _still_up(run, task, now)
    if task.is_started and run.attempt_started_at is None:
        started = task.started_at or now
        return Step(
            {
                **known,
                "status": RUNNING,
                "attempt_started_at": started,
                "started_at": run.started_at or started,
                "seen_at": now,
                "observed_at": now,
                "retry_at": None,
                "look_at": next_look(run, started, now),
            }
        )
    if run.task_arn is None or run.missing_at is not None:
        started = run.attempt_started_at
        look_at = now + LOOK_SOON if started is None else next_look(run, started, now)
        return Step({**known, "seen_at": now, "observed_at": now, "look_at": look_at})
    return None


def _is_current(run: RunLike, task: Task) -> bool:
    """Whether a task is that of the run's current attempt and launch."""
    if run.task_arn is not None:
        return bool(task.arn == run.task_arn)
    owner = states.owner(task.started_by)
    asked = run.requested_at is not None and task.arn not in (run.spent_tasks or [])
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
    }
    return Step(changes, frees=True)


def _stopped(run: RunLike, task: Task, now: datetime, known: Mapping[str, Any]) -> Step:
    verdict = states.verdict(task)
    started = run.attempt_started_at or task.started_at
    changes = {
        **known,
        "attempt_started_at": started,
        "started_at": run.started_at or started,
        "observed_at": now,
        "seen_at": now,
    }
    if run.stop_reason == "timed_out":
        why = f"The attempt ran longer than {run.timeout_seconds} s and was stopped."
        verdict = Verdict(False, task.exit_code, states.error("timed_out", why))
    elif run.stop_reason == NOT_STARTED and not states.ended_by_itself(task):
        limit = int(START_LIMIT.total_seconds() // 60)
        why = f"The task had not started after {limit} minutes and was stopped."
        verdict = Verdict(False, task.exit_code, states.error("start_failed", why))
    elif verdict.may_pass and len(run.spent_tasks or []) < MAX_RELAUNCHES:
        spent = [*(run.spent_tasks or []), task.arn]
        again = relaunch(run, now, verdict.error, delay=5 * 2 ** len(spent))
        return Step({**changes, **again, "spent_tasks": spent, "attempt_started_at": None})
    return ended(run, verdict, now, task.stopped_at or now, changes)


def relaunch(run: RunLike, now: datetime, why: RunError | None, *, delay: float) -> dict[str, Any]:
    """The changes that make the same attempt wait for another launch, in `delay` seconds."""
    return {
        "status": RUNNING if run.past_attempts else PENDING,
        "task_arn": None,
        "event_version": None,
        "launch": run.launch + 1,
        "requested_at": None,
        "refusal": why.as_dict() if why else None,
        "look_at": now + timedelta(seconds=delay),
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
        "started_at": iso(started),
        "finished_at": iso(finished_at),
        "exit_code": verdict.exit_code,
        "error": verdict.error.as_dict() if verdict.error else None,
    }
    past = [*(run.past_attempts or []), record]
    changes["past_attempts"] = past
    if not verdict.succeeded and run.attempt < run.max_attempts:
        retry_at = now + backoff(run.attempt)
        changes |= {
            "status": RUNNING,
            "attempt": run.attempt + 1,
            "launch": run.launch + 1,
            "requested_at": None,
            "refusal": None,
            "task_arn": None,
            "event_version": None,
            "attempt_started_at": None,
            "stop_reason": None,
            "stopping_since": None,
            "spent_tasks": None,
            "missing_at": None,
            "waiting_since": retry_at,
            "retry_at": retry_at,
            "look_at": retry_at,
        }
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
    }
    return Step(changes, outcome=status)


def cancelled(run: RunLike, reason: str, now: datetime) -> Step:
    """
    A run is cancelled for `reason`, at once and for good.

    It stays live until its task is known to have stopped. Where none was ever asked for, it is
    over; where the launch was not answered yet, the sweep watches for a task and stops it.
    """
    assert reason in CANCELLING, reason
    changes: dict[str, Any] = {
        "status": CANCELLED,
        "stop_reason": reason,
        "stopping_since": now,
        "error": states.error(reason, _cancel_message(reason)).as_dict(),
        "retry_at": None,
        "waits_for": None,
        "refusal": None,
        "observed_at": now,
    }
    if run.task_arn is None and run.requested_at is None:
        changes |= {"live": None, "look_at": None, "finished_at": now}
        return Step(changes, outcome=CANCELLED)
    return Step({**changes, "look_at": now + LOOK_SOON}, outcome=CANCELLED, stop=run.task_arn)


def _cancel_message(reason: str) -> str:
    return {
        "cancelled_by_user": "The run was cancelled.",
        "replaced": "The run was cancelled because a newer slot was due.",
        "job_deleted": "The run was cancelled because its job was deleted.",
    }[reason]


def turned_down(run: RunLike, refusal: Refusal, now: datetime) -> Step:
    """ECS made no task and said why: the run waits, or its attempt has failed."""
    waited = now - run.waiting_since
    if refusal.retry_for and waited < refusal.retry_for:
        # the longer it has waited already, the longer the next wait, so that a backlog of
        # thousands leaves the sweep time for the rest: 5 s to 5 min
        delay = min(300.0, max(5.0, waited.total_seconds() / 10))
        return Step(relaunch(run, now, refusal.error, delay=delay))
    return ended(run, Verdict(False, None, refusal.error), now, now)


def until_announced(run: RunLike, now: datetime) -> timedelta:
    """
    When a bus that did not take a run's event is tried again: after as long as it has been down
    for it already, a minute at least and 6 hours at most.
    """
    waited = now - (run.finished_at or now)
    return min(max(LOOK_SOON, waited), timedelta(hours=6))


def missing(run: RunLike, now: datetime) -> Step | None:
    """
    ECS says that it does not know the run's task.

    Right after a launch that means nothing, and an hour after its end ECS forgets a task. So a
    run is lost only after two such answers 10 minutes apart, and more than an hour after its
    task was last seen or asked for. None: nobody waits for it any more.
    """
    if run.live is None:
        return None  # over, in between
    last_seen = max(at for at in (run.seen_at, run.requested_at, run.created_at) if at)
    look_at = now + (LOOK_SOON if now - last_seen < LOST_BETWEEN else LOST_BETWEEN)
    if run.missing_at is None:
        return Step({"missing_at": now, "observed_at": now, "look_at": look_at})
    if now - run.missing_at < LOST_BETWEEN or now - last_seen <= LOST_AFTER_SEEN:
        return Step({"observed_at": now, "look_at": look_at})
    if run.status in states.TERMINAL:
        return Step({"live": None, "look_at": None, "finished_at": now}, frees=True)
    why = f"ECS has not known the task since {iso(run.missing_at)}."
    return ended(run, Verdict(False, None, states.error("lost", why)), now, now)


def overdue(run: RunLike, now: datetime) -> Step | None:
    """What time alone means for a run whose task is known: too long running, or in starting."""
    if run.status in states.TERMINAL or run.stop_reason is not None or run.task_arn is None:
        return None
    if run.attempt_started_at is not None:
        limit = run.attempt_started_at + timedelta(seconds=run.timeout_seconds)
        reason = "timed_out"
    else:
        limit = (run.requested_at or run.waiting_since) + START_LIMIT
        reason = NOT_STARTED
    if now < limit:
        return None
    changes = {"stop_reason": reason, "stopping_since": now, "look_at": now + LOOK_SOON}
    return Step(changes, stop=run.task_arn)


def unanswered(run: RunLike, now: datetime) -> Step:
    """
    A launch that got no answer, and ECS lists no task of it.

    Within TOKEN_LIFE it is simply repeated; past it that could make a second task, since ECS may
    have forgotten the token. Past START_LIMIT the attempt has failed. A cancelled run is over as
    soon as no function of ours can still be asking.
    """
    if run.status in states.TERMINAL:
        if now - run.stopping_since < UNKNOWN_LAUNCH:
            return Step({"look_at": now + LOOK_SOON})
        return Step({"live": None, "look_at": None, "finished_at": now}, frees=True)
    if now - run.requested_at < START_LIMIT:
        return Step({"look_at": now + LOOK_SOON})
    why = "ECS did not answer the launch, and lists no task of it."
    if run.refusal is not None:
        why = f"{why} Asked again, it said: {run.refusal['message']}"
    return ended(run, Verdict(False, None, states.error("start_failed", why)), now, now)
