"""What a run becomes when its launch is refused or unanswered, or its task is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chalicelib.domain import time_limits, transitions
from chalicelib.domain.refusals import refused
from tests.sample_runs import HOUR, MINUTE, NOW, RUNNING, Run, running, stopped


def test_a_run_waits_a_day_for_capacity() -> None:
    """
    It is launched again and again within the attempt, at growing intervals of up to 5 minutes.
    """
    none = refused("Capacity is unavailable at this time.", "")
    for waited, delay in [(0, 5), (60, 6), (1200, 120), (36_000, 300)]:
        now = NOW + timedelta(seconds=waited)
        run = Run(task_arn=None)
        after = run.apply(time_limits.turned_down(run, none, now))
        assert after.look_at is not None
        assert (after.look_at - now).total_seconds() == delay
        assert (after.status, after.launch, after.requested_at) == ("pending", 2, None)
    run = Run(task_arn=None)
    after = run.apply(time_limits.turned_down(run, none, NOW + 24 * HOUR))
    assert after.error is not None
    assert (after.status, after.error["code"]) == ("failed", "capacity_unavailable")


def test_a_refusal_that_will_not_pass_ends_the_attempt() -> None:
    """The attempt may be retried, since only the refusal's text says that it will not pass."""
    no = refused("AccessDeniedException", "no")
    run = Run(task_arn=None, max_attempts=2)
    after = run.apply(time_limits.turned_down(run, no, NOW))
    assert (after.status, after.attempt) == ("running", 2)
    over = replace(after, max_attempts=2).apply(time_limits.turned_down(after, no, NOW))
    assert over.error is not None
    assert (over.status, over.error["code"]) == ("failed", "start_failed")


def test_an_unanswered_launch_fails_after_an_hour() -> None:
    """The error has what ECS answered to a repeated launch, if it did."""
    run = Run(task_arn=None)
    waiting = time_limits.unanswered(run, NOW + 59 * MINUTE)
    assert waiting.changes == {"look_at": NOW + 60 * MINUTE}
    after = run.apply(time_limits.unanswered(run, NOW + HOUR))
    assert after.error is not None
    assert (after.status, after.error["code"]) == ("failed", "start_failed")
    said = Run(task_arn=None, refusal={"code": "start_failed", "message": "No such subnet."})
    after = said.apply(time_limits.unanswered(said, NOW + HOUR))
    assert after.error is not None
    assert "No such subnet." in after.error["message"]


def test_a_cancelled_unanswered_launch_is_watched_for_five_minutes() -> None:
    """That is longer than any of our functions can still be calling RunTask."""
    asked = Run(task_arn=None)
    run = asked.apply(transitions.cancelled(asked, "job_deleted", NOW))
    assert time_limits.unanswered(run, NOW + 4 * MINUTE).changes.get("look_at")
    step = time_limits.unanswered(run, NOW + 5 * MINUTE)
    assert (run.apply(step).live, step.releases_waiting_runs) == (None, True)


def test_a_task_missing_right_after_its_launch_is_looked_up_again_soon() -> None:
    """DescribeTasks lags behind RunTask, and a short time-out must be kept anyway."""
    step = time_limits.missing(Run(), NOW + timedelta(seconds=1))
    assert step is not None
    assert step.changes["look_at"] == NOW + timedelta(seconds=61)
    assert step.outcome is None


def test_a_run_is_lost_after_two_misses_ten_minutes_apart_and_an_hour_after_it_was_seen() -> None:
    """Neither condition alone is enough."""
    run = RUNNING.apply(time_limits.missing(RUNNING, NOW + 30 * MINUTE))
    for minutes in (31, 45, 60):
        step = time_limits.missing(run, NOW + minutes * MINUTE)
        assert step is not None
        assert step.outcome is None, minutes
        run = run.apply(step)
    step = time_limits.missing(run, NOW + 61 * MINUTE)
    assert step is not None
    after = run.apply(step)
    assert after.error is not None
    assert (after.status, after.error["code"]) == ("failed", "lost")
    once = time_limits.missing(RUNNING, NOW + 5 * HOUR)
    assert once is not None
    assert once.outcome is None
    again = RUNNING.apply(once)
    early = time_limits.missing(again, NOW + 5 * HOUR + 9 * MINUTE)
    assert early is not None
    assert early.outcome is None


def test_a_task_seen_in_between_makes_the_count_of_misses_start_again() -> None:
    """Even if the description contains nothing else that is new."""
    run = RUNNING.apply(time_limits.missing(RUNNING, NOW + MINUTE))
    run = run.apply(transitions.seen(run, running(3), NOW + 2 * MINUTE))
    assert run.missing_at is None
    assert run.seen_at == NOW + 2 * MINUTE


def test_the_age_of_an_earlier_attempts_task_does_not_make_a_retry_lost() -> None:
    """The hour counts from the retry's own launch."""
    launched = NOW + 5 * HOUR
    run = replace(RUNNING, attempt=2, requested_at=launched, attempt_started_at=None)
    run = run.apply(time_limits.missing(run, launched + MINUTE))
    step = time_limits.missing(run, launched + 12 * MINUTE)
    assert step is not None
    assert step.outcome is None


def test_a_missing_task_of_a_finished_run_changes_nothing() -> None:
    """ECS was asked before it showed the task, and answered after the run was over."""
    over = RUNNING.apply(transitions.seen(RUNNING, stopped(0), NOW + 3 * MINUTE))
    assert time_limits.missing(over, NOW + 4 * MINUTE) is None


def test_a_cancelled_runs_task_that_ecs_forgot_has_stopped() -> None:
    """The run keeps its status."""
    run = RUNNING.apply(transitions.cancelled(RUNNING, "cancelled_by_user", NOW))
    run = run.apply(time_limits.missing(run, NOW + 62 * MINUTE))
    step = time_limits.missing(run, NOW + 73 * MINUTE)
    assert step is not None
    after = run.apply(step)
    assert (after.status, after.live, step.releases_waiting_runs) == ("cancelled", None, True)


def test_an_event_is_sent_again_at_growing_intervals_while_the_bus_is_down() -> None:
    """
    The next one comes after a minute, then after as long as the bus has been down, at most 6 h.
    """
    run = Run(status="failed", live=None, finished_at=NOW)
    for waited, delay in [(0, 1), (1, 1), (30, 30), (10_000, 360)]:
        assert time_limits.until_announced(run, NOW + waited * MINUTE) == delay * MINUTE
