"""What an interruption means for a run, and what each launch is made on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from chalicelib.domain import capacity, run_cost, spent_tasks, time_limits, transitions
from chalicelib.domain.attempt_tasks import new_task, tasks_of
from chalicelib.domain.refusals import refused
from tests.sample_runs import HOUR, MINUTE, NOW, Run, could_not_start, interrupted, stopped

NO_CAPACITY = "Capacity is unavailable at this time. Please try again later"


def on_spot(wanted: str = "spot", **more: Any) -> Run:
    return replace(Run(job_capacity=wanted, capacity=capacity.first(wanted)), **more)


def launched(run: Run, number: int) -> Run:
    """The run with the task of its next launch."""
    return replace(run, task_arn=f"arn:task/{number}", requested_at=NOW, event_version=None)


def after_interruptions(run: Run, times: int) -> Run:
    for number in range(1, times + 1):
        run = launched(run, number)
        step = transitions.seen(run, interrupted(taskArn=run.task_arn), NOW + number * HOUR)
        run = run.apply(step)
    return run


@pytest.mark.parametrize("exit_code", [None, 0, 143])
def test_an_interruption_starts_the_same_attempt_again(exit_code: int | None) -> None:
    """The run goes on running, at once, with every limit of time anew; RUNNING may be unseen."""
    run = on_spot(max_attempts=3)
    after = run.apply(transitions.seen(run, interrupted(exit_code), NOW + 3 * MINUTE))
    assert (after.status, after.attempt, after.launch) == ("running", 1, 2)
    assert (after.task_arn, after.requested_at, after.retry_at) == (None, None, None)
    assert after.look_at == after.waiting_since == NOW + 3 * MINUTE
    assert after.attempt_started_at is None
    assert after.started_at == NOW + MINUTE
    assert after.live


def test_an_interruption_before_the_start_leaves_the_run_pending() -> None:
    """Its container never ran."""
    run = on_spot()
    after = run.apply(transitions.seen(run, interrupted(None, startedAt=None), NOW))
    assert (after.status, after.launch, after.started_at) == ("pending", 2, None)


def test_the_sixth_interruption_ends_the_attempt_and_takes_a_retry() -> None:
    """The next attempt begins with none; the last attempt's makes the run fail."""
    run = after_interruptions(on_spot(max_attempts=2), 5)
    assert (run.attempt, run.launch, run.past_attempts) == (1, 6, None)
    run = after_interruptions(run, 1)
    (past,) = run.past_attempts or []
    assert past["error"]["code"] == "spot_interrupted"
    assert past["started_at"] == "2026-11-23T12:01:00.000Z"
    assert len(past["spent_tasks"]) == 5
    assert (run.status, run.attempt, run.launch, run.spent_tasks) == ("running", 2, 7, None)
    run = after_interruptions(run, 6)
    assert (run.status, run.live, run.spent_tasks) == ("failed", None, None)
    assert run.error is not None
    assert run.error["code"] == "spot_interrupted"


def test_failures_to_start_and_interruptions_are_counted_apart() -> None:
    """Each has its own five within an attempt."""
    run = on_spot()
    for number in range(5):
        run = launched(run, number)
        run = run.apply(transitions.seen(run, could_not_start(taskArn=run.task_arn), NOW))
    assert run.status == "pending"
    run = after_interruptions(run, 5)
    assert (run.status, run.launch) == ("running", 11)
    run = launched(run, 99)
    assert run.apply(transitions.seen(run, interrupted(taskArn="arn:task/99"), NOW)).live is None


def test_a_start_failure_after_an_interruption_leaves_the_run_running() -> None:
    """Its container has run: it does not become pending again."""
    run = launched(after_interruptions(on_spot(), 1), 2)
    failed = run.apply(transitions.seen(run, could_not_start(taskArn="arn:task/2"), NOW + HOUR))
    assert (failed.status, failed.attempt) == ("running", 1)
    waits = time_limits.turned_down(run, refused(NO_CAPACITY, ""), NOW + HOUR)
    assert run.apply(waits).status == "running"


def test_spot_waits_for_spot() -> None:
    """However often it is interrupted, and however long there is no capacity."""
    run = after_interruptions(on_spot("spot"), 5)
    assert run.capacity == "spot"
    refusal = refused(NO_CAPACITY, "")
    late = NOW + 9 * HOUR
    assert run.apply(time_limits.turned_down(run, refusal, late)).capacity == "spot"


def test_after_two_interruptions_the_attempt_goes_on_on_demand() -> None:
    """The retry begins on Spot again."""
    run = on_spot("spot_then_on_demand", max_attempts=2)
    assert after_interruptions(run, 1).capacity == "spot"
    run = launched(after_interruptions(run, 2), 3)
    assert run.capacity is None
    run = run.apply(transitions.seen(run, stopped(1, taskArn="arn:task/3"), NOW + 3 * HOUR))
    assert (run.attempt, run.capacity) == (2, "spot")
    (past,) = run.past_attempts or []
    assert "capacity" not in past


def test_without_spot_capacity_for_five_minutes_the_launch_goes_on_demand() -> None:
    """It is decided for when the launch will be made; another refusal does not count."""
    run = on_spot("spot_then_on_demand", task_arn=None)
    no_capacity, throttled = refused(NO_CAPACITY, ""), refused("ThrottlingException", "")
    for refusal, waited, expected in (
        (no_capacity, 4 * MINUTE, "spot"),
        (no_capacity, 5 * MINUTE, None),
        (throttled, 5 * MINUTE, "spot"),
    ):
        after = run.apply(time_limits.turned_down(run, refusal, NOW + waited))
        assert (after.capacity, after.launch) == (expected, 2), waited


def test_the_last_launch_after_failures_to_start_goes_on_demand() -> None:
    """So an attempt does not end for want of Spot capacity, whatever its tasks failed for."""
    run = on_spot("spot_then_on_demand")
    found = []
    for number in range(5):
        run = launched(run, number)
        failed = could_not_start(NO_CAPACITY, taskArn=run.task_arn)
        run = run.apply(transitions.seen(run, failed, NOW))
        found.append(run.capacity)
    assert found == ["spot"] * 4 + [None]


def test_an_attempt_does_not_go_back_to_spot() -> None:
    """One that went on demand stays there."""
    run = on_spot("spot_then_on_demand", task_arn=None, capacity=None)
    after = run.apply(time_limits.turned_down(run, refused(NO_CAPACITY, ""), NOW))
    assert after.capacity is None


def test_the_reason_for_a_stop_decides_over_an_interruption() -> None:
    """A task that was being stopped is not launched again."""
    run = on_spot(status="running", started_at=NOW, attempt_started_at=NOW, stopping_since=NOW)
    for reason, code in (("timed_out", "timed_out"), (time_limits.NOT_STARTED, "start_failed")):
        stopping = replace(run, stop_reason=reason)
        after = stopping.apply(transitions.seen(stopping, interrupted(), NOW + MINUTE))
        assert after.status == "failed"
        assert after.error is not None
        assert after.error["code"] == code
    stopping = replace(run, status="cancelled", stop_reason="replaced")
    after = stopping.apply(transitions.seen(stopping, interrupted(), NOW + MINUTE))
    assert (after.status, after.live, after.spent_tasks) == ("cancelled", None, None)


def test_what_is_told_of_an_interrupted_task_later_changes_nothing() -> None:
    """Its events come twice, late, and before the next launch is answered."""
    run = after_interruptions(on_spot(), 1)
    told = interrupted(taskArn="arn:task/1", version=9)
    for later in (run, launched(run, 2), replace(run, requested_at=NOW)):
        assert transitions.seen(later, told, NOW + HOUR) is None


def test_the_tasks_of_an_attempt_are_found_in_their_order() -> None:
    """The last one may still run; one that did not start has no output."""
    run = after_interruptions(on_spot(), 1)
    run = launched(run, 7)
    run = run.apply(transitions.seen(run, could_not_start(taskArn="arn:task/7"), NOW))
    run = launched(run, 2)
    run = launched(run.apply(transitions.seen(run, interrupted(taskArn="arn:task/2"), NOW)), 3)
    shown = [(t.attempt, t.task_id, t.has_output, t.ended_at is None) for t in tasks_of(named(run))]
    assert shown == [
        (1, "1", True, False),
        (1, "7", False, True),
        (1, "2", True, False),
        (1, "3", True, True),
    ]
    over = run.apply(transitions.seen(run, stopped(0, taskArn="arn:task/3"), NOW + HOUR))
    assert [t.task_id for t in tasks_of(named(over))] == ["1", "7", "2", "3"]


@dataclass
class Named(Run):
    """A run with its ids."""

    job_id: str = "job_1"
    run_id: str = "run_1"


def named(run: Run) -> Named:
    return Named(**vars(run))


def test_an_interruption_may_be_the_first_that_is_heard_of_a_task() -> None:
    """Then its owner is recorded with it, for the lines that it wrote."""
    asked = on_spot(task_arn=None)
    step = transitions.seen(asked, interrupted(), NOW)
    assert step is not None
    assert new_task(named(asked), step.changes) == "arn:task/1"
    known = on_spot()
    step = transitions.seen(known, interrupted(), NOW)
    assert step is not None
    assert new_task(named(known), step.changes) is None


def test_what_spot_costs_is_not_known() -> None:
    """Of a run with a task on Spot, only the seconds are known, those on demand among them."""
    rates = [100, 0, "2026-11-28"]
    run = launched(after_interruptions(on_spot("spot_then_on_demand", rates=rates), 2), 3)
    assert run.capacity is None
    run = run.apply(transitions.seen(run, stopped(0, taskArn="arn:task/3"), NOW + HOUR))
    bill = run_cost.of_run(run)
    assert bill is not None
    assert (bill.seconds, bill.nano_usd) == (180, None)


def test_what_is_stored_of_an_older_version_is_read() -> None:
    """It has the ARNs of tasks that did not start, or nothing."""
    assert spent_tasks.arns(["arn:task/1"]) == spent_tasks.not_started(["arn:task/1"])
    assert not spent_tasks.arns(None)
    assert not spent_tasks.interrupted(None)
    assert Run().apply(transitions.seen(Run(), could_not_start(), NOW)).capacity is None
