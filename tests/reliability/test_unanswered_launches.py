"""Launches that got no answer, were refused, or met another launch."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.domain import time_limits
from infra.local.fidelity.operations import Failure
from infra.local.fidelity.run_task import EcsError
from tests.reliability import intruders, invariants
from tests.reliability.failures import down, the_run
from tests.reliability.intruders import Meeting
from tests.reliability.wire import Failing, refused, throttled, unanswered
from tests.reliability.world import World


def at_run_task(fail: Failing) -> Failing:
    return lambda count, name: fail(count, name) if name == "ecs.RunTask" else None


def raise_throttle_after_a_silent_attempt(_: int, name: str) -> Any:
    """botocore tried twice: the first attempt made the task, the second was throttled."""
    answer: Any = refused(name, "ThrottlingException", "Rate exceeded", 400, retries=1)[1]
    raise ClientError(answer, "RunTask")


FIRST: dict[str, dict[str, Failing]] = {
    "made, answer lost": {"answered": at_run_task(lambda _, name: unanswered(name))},
    "made, then throttled": {"answered": at_run_task(raise_throttle_after_a_silent_attempt)},
    "never made": {"asking": at_run_task(lambda _, name: unanswered(name))},
}

THEN: dict[str, Failing] = {
    "throttled": lambda _, name: throttled(name),
    "unanswered": lambda _, name: unanswered(name),
    "denied": lambda _, name: refused(name, "AccessDeniedException", "No.", 400, 0),
    "busy": lambda _, name: refused(
        name, "InvalidParameterException", "Request limit exceeded.", 400, 0
    ),
    "down": down,
}


@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("first", FIRST)
def test_an_unanswered_launch_is_repeated_with_its_client_token(
    world: World, first: str, then: str
) -> None:
    """The answer to the repeat proves nothing about the first request; there is one task."""
    world.fresh()
    job = world.job(name="a", max_retries=1)
    with world.wire.failing(**FIRST[first]):
        world.yard.trigger(job)
    world.yard.take_events()
    for _ in range(3):
        world.clock.move(minutes=1)
        with world.wire.failing(asking=at_run_task(THEN[then])):
            world.sweep()
    run = the_run(world)
    assert (run.status, run.attempt, run.launch) == ("pending", 1, 1)
    world.clock.move(minutes=1)
    world.sweep()
    assert len(world.made) == 1
    invariants.hold_in_the_end(world)
    assert the_run(world).status == "succeeded"


def test_after_a_capacity_failure_the_next_launch_has_a_new_number(world: World) -> None:
    """
    ECS checks the token first: an answer without a task shows that the token has none. A function
    that was delayed may still send it, so it stays until that must have ended.
    """
    world.fresh()
    job = world.job(name="a")
    with world.wire.failing(**FIRST["never made"]):
        world.yard.trigger(job)
    launches = []
    for _ in range(6):
        world.ecs.refuse_next(Failure("RESOURCE:ENI"))
        world.clock.move(minutes=1)
        world.sweep()
        launches.append(int(the_run(world).launch))
    run = the_run(world)
    assert launches == [1, 1, 1, 1, 2, 3]
    assert (run.status, run.requested_at) == ("pending", None)
    invariants.hold_in_the_end(world)


def test_a_delayed_request_makes_no_second_task_after_a_capacity_failure(world: World) -> None:
    """The sweep was refused in its place, and must not begin another launch beside it."""
    world.fresh()
    job = world.job(name="a")
    world.ecs.refuse_next(Failure("RESOURCE:ENI"))
    meeting = Meeting(world, intruders.a_sweep, "ecs.RunTask")
    with world.wire.failing(asking=meeting):
        world.yard.trigger(job)
    meeting.check()
    world.clock.move(minutes=1)
    world.sweep()
    assert len(world.made) == 1
    invariants.hold_in_the_end(world)
    assert the_run(world).status == "succeeded"


def test_a_refusal_that_will_not_pass_fails_at_once(world: World) -> None:
    """This is so if it was the only request of its launch."""
    world.fresh()
    job = world.job(name="a")
    world.ecs.refuse_next(EcsError("AccessDeniedException", "No."))
    world.yard.trigger(job)
    run = the_run(world)
    assert (run.status, run.error["code"]) == ("failed", "start_failed")


def test_two_sweeps_at_once_ask_for_one_launch_once(world: World) -> None:
    """The first sweep has the launch's lease while it calls RunTask, so the second does not."""
    world.fresh()
    job = world.job(name="a")
    world.ecs.refuse_next(Failure("RESOURCE:ENI"))
    world.yard.trigger(job)
    world.clock.move(minutes=1)
    asked: list[str] = []

    def meanwhile(_: int, name: str) -> None:
        if name == "ecs.RunTask":
            asked.append(name)
            if len(asked) == 1:
                world.on.sweep.turn()

    world.ecs.refuse_next(Failure("RESOURCE:ENI"))
    with world.wire.failing(asking=meanwhile):
        world.sweep()
    assert len(asked) == 1
    invariants.hold_in_the_end(world)


def test_a_launch_unanswered_for_an_hour_fails_with_the_last_error(
    world: World,
) -> None:
    """After 50 minutes ECS may have forgotten the token, so a repeat could make a second task."""
    world.fresh()
    job = world.job(name="a")
    with world.wire.failing(**FIRST["never made"]):
        world.yard.trigger(job)
    with world.wire.failing(asking=at_run_task(THEN["denied"])) as wire:
        for _ in range(65):
            world.clock.move(minutes=1)
            world.sweep()
        asked = wire.names.count("ecs.RunTask")
    run = the_run(world)
    assert asked <= time_limits.TOKEN_LIFE.total_seconds() / 60
    assert (run.status, run.error["code"]) == ("failed", "start_failed")
    assert "No." in run.error["message"]


def test_a_task_whose_launch_and_events_were_all_lost_is_found_for_an_hour_after_its_end(
    world: World,
) -> None:
    """ECS lists the stopped tasks of a family for that long."""
    world.fresh()
    job = world.job(name="a")
    with world.wire.failing(**FIRST["made, answer lost"]):
        world.yard.trigger(job)
    world.ecs.stop(world.ecs.tasks[0].arn, exit_code=0)
    world.yard.take_events()
    world.clock.move(minutes=55)
    world.sweep()
    assert the_run(world).status == "succeeded"
