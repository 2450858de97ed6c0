"""What a run becomes when its task is described, in any order and any number of times."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import transitions
from chalicelib.domain.ecs_task import Task
from chalicelib.domain.run_step import Step
from tests.sample_runs import MINUTE, NOW, RUNNING, Run, could_not_start, running, stopped, task


def test_a_run_is_running_once_its_task_is() -> None:
    """The run is looked at again at its time-out, or in ten minutes, unless a look comes sooner."""
    launched = Run(look_at=NOW + 5 * MINUTE)
    run = launched.apply(transitions.seen(launched, running(), NOW + MINUTE))
    assert (run.status, run.started_at) == ("running", NOW + MINUTE)
    assert run.look_at == NOW + 5 * MINUTE
    for after, look_at in ((NOW + 60 * MINUTE, NOW + 11 * MINUTE), (None, NOW + 11 * MINUTE)):
        launched = Run(look_at=after)
        seen = transitions.seen(launched, running(), NOW + MINUTE)
        assert launched.apply(seen).look_at == look_at
    short = Run(timeout_seconds=60, look_at=NOW + 5 * MINUTE)
    assert short.apply(transitions.seen(short, running(), NOW)).look_at == NOW + 2 * MINUTE


def test_a_run_may_end_without_having_been_seen_running() -> None:
    """The first description of a task may be its end."""
    step = transitions.seen(Run(), stopped(0), NOW + 3 * MINUTE)
    assert step is not None
    run = Run().apply(step)
    assert step.outcome == run.status == "succeeded"
    assert (run.started_at, run.finished_at) == (NOW + MINUTE, NOW + 2 * MINUTE)
    assert run.live is None
    assert run.look_at is None


STORY = [
    task("PROVISIONING", 1),
    task("PENDING", 2),
    running(3),
    running(4, stopCode="EssentialContainerExited"),
]


@given(
    story=st.lists(st.sampled_from(STORY), max_size=8),
    exit_code=st.sampled_from([0, 3, None]),
    late=st.lists(st.sampled_from(STORY), max_size=4),
    times=st.integers(1, 3),
)
def test_the_order_in_which_a_task_is_seen_does_not_matter(
    story: list[Task], exit_code: int | None, late: list[Task], times: int
) -> None:
    """Descriptions may come in any order and repeatedly, before and after the end."""
    run = Run()
    for seen in [*story, *[stopped(exit_code)] * times, *late]:
        run = run.apply(transitions.seen(run, seen, NOW + 3 * MINUTE))
    alone = Run().apply(transitions.seen(Run(), stopped(exit_code), NOW + 3 * MINUTE))
    for name in ("status", "exit_code", "error", "finished_at", "past_attempts", "live", "look_at"):
        assert getattr(run, name) == getattr(alone, name), name


def test_an_older_or_repeated_description_changes_nothing() -> None:
    """Events come twice and out of order, and DescribeTasks may lag."""
    assert transitions.seen(RUNNING, task("PENDING", 2), NOW) is None
    assert transitions.seen(RUNNING, running(3), NOW) is None
    over = RUNNING.apply(transitions.seen(RUNNING, stopped(0), NOW))
    assert transitions.seen(over, running(3), NOW) is None
    assert transitions.seen(over, stopped(0), NOW) is None


def test_an_event_may_come_before_the_answer_to_the_launch() -> None:
    """The task's `startedBy` then shows its run."""
    asked = Run(task_arn=None)
    assert asked.apply(transitions.seen(asked, task(), NOW)).task_arn == "arn:task/1"
    assert asked.apply(transitions.seen(asked, running(), NOW)).status == "running"
    assert asked.apply(transitions.seen(asked, stopped(1), NOW)).status == "failed"


@pytest.mark.parametrize(
    "run",
    [
        Run(task_arn="arn:task/2"),
        Run(task_arn=None, requested_at=None, attempt=2),
        Run(task_arn=None, attempt=2),
        Run(task_arn=None, spent_tasks=["arn:task/1"]),
        Run(task_arn=None, requested_at=None),
        Run(status="failed", live=None, task_arn=None),
        Run(status="cancelled", live=None, task_arn=None, stop_reason="replaced"),
        Run(status="failed", live=None, event_version=2),
    ],
    ids=str,
)
def test_a_running_task_of_an_earlier_attempt_is_stopped(run: Run) -> None:
    """
    An earlier launch's task, or that of an ended run, is stopped too; if it has stopped, it is
    ignored.
    """
    step = transitions.seen(run, running(3), NOW)
    assert step == Step(stop="arn:task/1")
    assert transitions.seen(run, stopped(0), NOW) is None


def test_a_failed_attempt_is_retried_after_ten_seconds_doubling_to_six_minutes() -> None:
    """Each attempt has its own task; the run stays running, and the last attempt decides."""
    run = Run(max_attempts=8)
    waits = []
    for attempt in range(1, 8):
        run = run.apply(transitions.seen(run, stopped(1), NOW))
        assert run.retry_at is not None
        waits.append((run.retry_at - NOW).total_seconds())
        assert (run.status, run.attempt, run.task_arn) == ("running", attempt + 1, None)
        assert run.look_at == run.retry_at
        run = replace(run, requested_at=NOW, task_arn="arn:task/1", retry_at=None)
    assert waits == [10, 20, 40, 80, 160, 320, 360]
    run = run.apply(transitions.seen(run, stopped(2), NOW))
    assert (run.status, run.exit_code, run.live) == ("failed", 2, None)
    assert [past["attempt"] for past in run.past_attempts or []] == list(range(1, 9))
    assert run.launch == 8


def test_a_start_failure_that_may_pass_is_launched_again_within_the_attempt() -> None:
    """This happens at most five times, at growing intervals, and uses up no retry."""
    run = Run(max_attempts=2)
    waits = []
    for number in range(5):
        arn = f"arn:task/{number}"
        run = replace(run, task_arn=arn, requested_at=NOW)
        run = run.apply(transitions.seen(run, could_not_start(taskArn=arn), NOW))
        assert (run.status, run.attempt, run.task_arn) == ("pending", 1, None)
        assert run.look_at is not None
        waits.append((run.look_at - NOW).total_seconds())
    assert waits == sorted(waits)
    assert run.launch == 6
    run = replace(run, task_arn="arn:task/5", requested_at=NOW)
    run = run.apply(transitions.seen(run, could_not_start(taskArn="arn:task/5"), NOW))
    assert (run.status, run.attempt) == ("running", 2)
    assert run.past_attempts is not None
    assert run.past_attempts[0]["error"]["code"] == "start_failed"
