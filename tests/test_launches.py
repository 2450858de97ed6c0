"""How a run's task is started, and what happens to a run whose task does not start."""

from __future__ import annotations

import threading

import pytest

from chalicelib.engine import launcher
from infra.local.fidelity.operations import Failure
from infra.local.fidelity.run_task import EcsError
from tests.yard import Yard

NO_CAPACITY = Failure(
    "Capacity is unavailable at this time. Please try again later or in a different "
    "availability zone"
)


def test_a_launch_without_an_answer_is_repeated_and_makes_one_task(yard: Yard) -> None:
    """The answer is 201 anyway, and the sweep repeats the launch with the same token."""
    job = yard.create()
    yard.aws.ecs.refuse_next(EcsError("ServiceUnavailableException", "down"), times=2)
    run = yard.trigger(job)
    assert yard.run(run)["status"] == "pending"
    yard.sweep(minutes=1)
    yard.sweep(minutes=2)
    assert len(yard.aws.ecs.tasks) == 1
    yard.finish(run)
    assert yard.run(run)["status"] == "succeeded"


def test_a_refusal_that_may_pass_keeps_the_run_pending(yard: Yard) -> None:
    """Missing capacity does not fail the run; the sweep launches it when there is capacity."""
    job = yard.create()
    yard.aws.ecs.refuse_next(NO_CAPACITY, times=2)
    run = yard.trigger(job)
    yard.sweep(minutes=1)
    assert yard.run(run)["status"] == "pending"
    yard.sweep(minutes=2)
    yard.finish(run)
    assert yard.run(run)["status"] == "succeeded"


def test_capacity_that_does_not_come_within_a_day_fails_the_run(yard: Yard) -> None:
    """A run does not stay pending for ever."""
    job = yard.create()
    yard.aws.ecs.refuse_next(NO_CAPACITY, times=99)
    run = yard.trigger(job)
    yard.sweep(hours=23)
    assert yard.run(run)["status"] == "pending"
    yard.sweep(hours=2)
    failed = yard.run(run)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "capacity_unavailable")
    assert yard.counts(job) == {"failed": 1, "total": 1}


def test_a_refusal_that_will_not_pass_fails_the_run(yard: Yard) -> None:
    """The error has AWS's own reason."""
    yard.aws.ecs.refuse_next(
        EcsError("AccessDeniedException", "not authorized to perform: ecs:RunTask")
    )
    run = yard.trigger(yard.create())
    failed = yard.run(run)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "start_failed")
    assert "not authorized" in failed["error"]["message"]


NO_ROLE = (
    "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/jobyard/test/acme/a' that "
    "was provided for this task. Please verify that the role being passed has the proper trust "
    "relationship and permissions and that your IAM user has permissions to pass this role."
)


def test_a_role_that_was_just_made_delays_a_run_and_does_not_fail_it(yard: Yard) -> None:
    """IAM takes minutes until ECS can assume it; RunTask may say so, or the task may stop."""
    run = yard.trigger(yard.create(), command=["a"])
    yard.aws.ecs.fail_to_start(yard.task_of(run), NO_ROLE)
    yard.deliver()
    yard.aws.ecs.refuse_next(EcsError("ClientException", NO_ROLE))
    yard.sweep(minutes=1)
    assert yard.run(run)["status"] == "pending"
    yard.sweep(minutes=1)
    yard.finish(run)
    assert yard.run(run)["status"] == "succeeded"


@pytest.mark.parametrize("how", ["refused", "stopped"])
def test_a_role_that_cannot_be_assumed_fails_the_run_within_minutes(yard: Yard, how: str) -> None:
    """The error says what to check, without the account's id."""
    if how == "refused":
        yard.aws.ecs.refuse_next(EcsError("ClientException", NO_ROLE), times=99)
    run = yard.trigger(yard.create())
    minutes = 0
    while yard.run(run)["status"] == "pending":
        if how == "stopped" and yard.stored(run).task_arn:
            yard.aws.ecs.fail_to_start(yard.task_of(run), NO_ROLE)
            yard.deliver()
        yard.sweep(minutes=1)
        minutes += 1
    assert 5 <= minutes <= 10
    failed = yard.run(run)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "start_failed")
    assert "unable to assume the role" in failed["error"]["message"]
    assert "trust policy" in failed["error"]["hint"]
    assert "123456789012" not in failed["error"]["message"]


def test_an_image_that_cannot_be_pulled_fails_the_run(yard: Yard) -> None:
    """The error has the reason, because such a run has no logs."""
    run = yard.trigger(yard.create())
    reason = "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found"
    yard.aws.ecs.fail_to_start(yard.task_of(run), reason)
    yard.deliver()
    failed = yard.run(run)
    assert failed["error"]["code"] == "image_pull_failed"
    assert reason in failed["error"]["message"]
    assert failed["exit_code"] is None


def test_a_failure_to_start_that_may_pass_is_launched_again_within_the_attempt(yard: Yard) -> None:
    """It is launched up to five more times, which count as one attempt."""
    job = yard.create()
    run = yard.trigger(job)
    reason = "Timeout waiting for network interface provisioning to complete."
    for _ in range(5):
        yard.aws.ecs.fail_to_start(yard.task_of(run), reason)
        yard.deliver()
        assert yard.run(run)["status"] == "pending"
        yard.sweep(minutes=5)
    yard.aws.ecs.fail_to_start(yard.task_of(run), reason)
    yard.deliver()
    failed = yard.run(run)
    assert (failed["status"], failed["attempt"]) == ("failed", 1)
    assert len(yard.aws.ecs.tasks) == 6


def test_a_late_event_of_an_earlier_launch_does_not_end_the_next(yard: Yard) -> None:
    """It arrives twice, the second time after the next launch."""
    run = yard.trigger(yard.create())
    yard.aws.ecs.fail_to_start(
        yard.task_of(run), "Timeout waiting for network interface provisioning to complete."
    )
    late = yard.take_events()
    yard.deliver(*late)
    yard.sweep(minutes=1)
    yard.deliver(*late)
    assert len(yard.aws.ecs.tasks) == 2
    yard.finish(run)
    assert yard.run(run)["status"] == "succeeded"


def test_a_task_that_does_not_start_within_an_hour_fails_the_run(yard: Yard) -> None:
    """The task is stopped first."""
    run = yard.trigger(yard.create())
    arn = yard.task_of(run)
    yard.sweep(minutes=61)
    assert yard.aws.ecs.task(arn).desired_status == "STOPPED"
    yard.aws.ecs.stop(arn, exit_code=None, stop_code="UserInitiated")
    yard.deliver()
    failed = yard.run(run)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "start_failed")


def test_the_sweep_launches_several_at_once_and_each_once(yard: Yard) -> None:
    """They run in threads: launching one after the other is far slower than what Fargate allows."""
    job = yard.create()
    yard.aws.ecs.refuse_next(NO_CAPACITY, times=20)
    made = [yard.trigger(job)["id"] for _ in range(20)]
    assert yard.aws.ecs.tasks == []
    under_way = threading.Condition()
    numbers = [0]

    def wait_for_another(**_: object) -> None:
        with under_way:
            numbers.append(numbers[-1] + 1)
            under_way.notify_all()
            assert under_way.wait_for(lambda: max(numbers) > 1, timeout=30), "only one launch"

    def leave(**_: object) -> None:
        with under_way:
            numbers.append(numbers[-1] - 1)

    hooks = yard.system.clients.get("ecs").meta.events
    hooks.register("before-call.ecs.RunTask", wait_for_another)
    hooks.register("after-call.ecs.RunTask", leave)
    try:
        yard.sweep(minutes=1)
    finally:
        hooks.unregister("before-call.ecs.RunTask", wait_for_another)
        hooks.unregister("after-call.ecs.RunTask", leave)
    assert 1 < max(numbers) <= launcher.LAUNCHERS
    assert sorted(str(task.started_by).split("/")[1] for task in yard.aws.ecs.tasks) == made
    assert yard.counts(job) == {"pending": 20, "total": 20}
    yard.sweep(minutes=1)
    assert len(yard.aws.ecs.tasks) == 20
