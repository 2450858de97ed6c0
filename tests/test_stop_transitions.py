"""What a run becomes when it is cancelled or runs too long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain import time_limits, transitions
from tests.sample_runs import HOUR, MINUTE, NOW, RUNNING, Run, running, stopped


@pytest.mark.parametrize(
    ("run", "stays_live", "stops"),
    [
        (Run(), True, "arn:task/1"),
        (RUNNING, True, "arn:task/1"),
        (Run(task_arn=None), True, None),
        (Run(task_arn=None, requested_at=None), False, None),
        (replace(RUNNING, stop_reason="timed_out"), True, "arn:task/1"),
    ],
)
def test_a_cancelled_run_is_terminal_at_once_and_in_flight_until_its_task_has_stopped(
    run: Run, stays_live: bool, stops: str | None
) -> None:
    """A run without a launch is over; one whose launch got no answer is still watched."""
    step = transitions.cancelled(run, "cancelled_by_user", NOW)
    after = run.apply(step)
    assert (step.outcome, after.status) == ("cancelled", "cancelled")
    assert (after.live is not None, step.stop) == (stays_live, stops)
    assert (after.look_at is not None) is stays_live
    assert (after.finished_at is None) is stays_live


def test_late_stop_event_of_a_cancelled_run_records_the_exit_code_and_keeps_the_status() -> None:
    """This holds even if the container ended with 0 in the meantime."""
    run = RUNNING.apply(transitions.cancelled(RUNNING, "replaced", NOW))
    step = transitions.seen(run, stopped(0), NOW + 3 * MINUTE)
    assert step is not None
    after = run.apply(step)
    assert (after.status, step.outcome, step.releases_waiting_runs) == ("cancelled", None, True)
    assert (after.exit_code, after.finished_at, after.live) == (0, NOW + 2 * MINUTE, None)
    without_time = transitions.seen(run, stopped(0, stoppedAt=None), NOW + 3 * MINUTE)
    assert run.apply(without_time).finished_at == NOW + 3 * MINUTE


def test_a_task_that_appears_after_its_run_was_cancelled_is_stopped() -> None:
    """The event of the task stops it, whichever state it shows."""
    asked = Run(task_arn=None)
    run = asked.apply(transitions.cancelled(asked, "cancelled_by_user", NOW))
    step = transitions.seen(run, running(), NOW)
    assert step is not None
    assert step.stop == "arn:task/1"
    assert run.apply(step).task_arn == "arn:task/1"


def test_an_attempt_over_its_timeout_is_stopped_and_timed_out_whatever_its_exit_code() -> None:
    """The time counts from the task's start; the reason is stored before the stop and decides."""
    assert time_limits.overdue(RUNNING, NOW + 10 * MINUTE - timedelta(seconds=1)) is None
    step = time_limits.overdue(RUNNING, NOW + 10 * MINUTE)
    assert step is not None
    assert step.stop == "arn:task/1"
    run = RUNNING.apply(step)
    assert time_limits.overdue(run, NOW + 11 * MINUTE) is None
    after = run.apply(transitions.seen(run, stopped(0), NOW + 11 * MINUTE))
    assert after.error is not None
    assert (after.status, after.error["code"]) == ("failed", "timed_out")
    assert "600 s" in after.error["message"]


def test_a_task_that_has_not_started_within_an_hour_is_start_failed() -> None:
    """The hour counts from this launch, not from the first one."""
    late = Run(requested_at=NOW + 30 * MINUTE)
    assert time_limits.overdue(late, NOW + HOUR) is None
    step = time_limits.overdue(Run(), NOW + HOUR)
    run = Run().apply(step)
    told = stopped(None, startedAt=None, stopCode="UserInitiated", stoppedReason="Jobyard")
    after = run.apply(transitions.seen(run, told, NOW + HOUR))
    assert after.error is not None
    assert (after.status, after.error["code"]) == ("failed", "start_failed")


@pytest.mark.parametrize(("code", "status"), [(0, "succeeded"), (3, "failed")])
def test_a_task_that_started_and_ended_before_it_could_be_stopped_is_judged_by_its_end(
    code: int, status: str
) -> None:
    """The run was given up because its task had not started, and StopTask came too late."""
    run = Run().apply(time_limits.overdue(Run(), NOW + HOUR))
    after = run.apply(transitions.seen(run, stopped(code), NOW + HOUR + MINUTE))
    assert (after.status, after.exit_code) == (status, code)
    assert (after.error or {}).get("code") == (None if code == 0 else "nonzero_exit")
