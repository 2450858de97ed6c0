"""
What time, and the answers to launches, mean for a run: how long it waits, and for what. Pure.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.domain import run_cost
from chalicelib.domain.refusals import Refusal
from chalicelib.domain.run_errors import error
from chalicelib.domain.run_states import TERMINAL
from chalicelib.domain.run_step import LOOK_SOON, RunLike, Step, ended, relaunch
from chalicelib.domain.times import iso
from chalicelib.domain.verdicts import Verdict

LAUNCH_LEASE = timedelta(seconds=45)
"""How long one launcher has before another repeats its RunTask with the same token: longer than a
write and RunTask may take together if every attempt times out."""
TOKEN_LIFE = timedelta(minutes=50)
"""A RunTask without an answer is repeated this long: ECS keeps the token at least an hour."""
START_LIMIT = timedelta(minutes=60)
LOST_AFTER_SEEN = timedelta(hours=1)
LOST_BETWEEN = timedelta(minutes=10)
UNKNOWN_LAUNCH = timedelta(minutes=5)
"""How long a launch without an answer may still make a task: far longer than any function that
calls RunTask may run. For so long it keeps its number, and the sweep looks for a task of a run that
was cancelled meanwhile."""
NOT_STARTED = "not_started"
"""Reason to stop a task that takes longer than START_LIMIT to start."""


def turned_down(run: RunLike, refusal: Refusal, now: datetime) -> Step:
    """ECS refused to make a task and said why: the run waits, or its attempt has failed."""
    waited = now - run.waiting_since
    if refusal.retry_for and waited < refusal.retry_for:
        # the longer it has waited already, the longer the next wait, so that a backlog of
        # thousands leaves the sweep time for the rest: 5 s to 5 min
        delay = min(300.0, max(5.0, waited.total_seconds() / 10))
        return Step(relaunch(run, now, refusal.error, run.spent_tasks, delay=delay))
    return ended(run, Verdict(False, None, refusal.error), now, now)


def until_announced(run: RunLike, now: datetime) -> timedelta:
    """
    How long to wait before an event that the bus did not take is sent again: as long as the event
    has been waiting already, but at least a minute and at most 6 hours.
    """
    waited = now - (run.finished_at or now)
    return min(max(LOOK_SOON, waited), timedelta(hours=6))


def missing(run: RunLike, now: datetime) -> Step | None:
    """
    ECS says that it does not know the run's task.

    Right after a launch such an answer means nothing, and ECS forgets a task an hour after its end.
    So a run is lost only after two such answers 10 minutes apart, and more than an hour after its
    task was last seen or requested. None: the run is over already.
    """
    if run.live is None:
        return None  # over, in between
    last_seen = max(at for at in (run.seen_at, run.requested_at, run.created_at) if at)
    look_at = now + (LOOK_SOON if now - last_seen < LOST_BETWEEN else LOST_BETWEEN)
    if run.missing_at is None:
        return Step({"missing_at": now, "observed_at": now, "look_at": look_at})
    if now - run.missing_at < LOST_BETWEEN or now - last_seen <= LOST_AFTER_SEEN:
        return Step({"observed_at": now, "look_at": look_at})
    # it stopped at some time before ECS first did not know it
    billed = {"billed": run_cost.until(run, run.pull_started_at, run.missing_at)}
    if run.status in TERMINAL:
        over = {"live": None, "look_at": None, "finished_at": now}
        return Step(over | billed, releases_waiting_runs=True)
    why = f"ECS has not known the task since {iso(run.missing_at)}."
    return ended(run, Verdict(False, None, error("lost", why)), now, now, billed)


def overdue(run: RunLike, now: datetime) -> Step | None:
    """What time alone means for a run whose task is known: it runs too long, or has not started in
    time."""
    if run.status in TERMINAL or run.stop_reason is not None or run.task_arn is None:
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

    Within TOKEN_LIFE the launch is repeated. After that a repetition could make a second task,
    since ECS may have forgotten the token, and after START_LIMIT the attempt has failed. A
    cancelled run is over as soon as no function can still be calling RunTask for it.
    """
    if run.status in TERMINAL:
        if now - run.stopping_since < UNKNOWN_LAUNCH:
            return Step({"look_at": now + LOOK_SOON})
        return Step({"live": None, "look_at": None, "finished_at": now}, releases_waiting_runs=True)
    if now - run.requested_at < START_LIMIT:
        return Step({"look_at": now + LOOK_SOON})
    why = "ECS did not answer the launch, and lists no task of it."
    if run.refusal is not None:
        why = f"{why} Asked again, it said: {run.refusal['message']}"
    return ended(run, Verdict(False, None, error("start_failed", why)), now, now)
