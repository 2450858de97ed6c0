"""Fires of EventBridge rules."""

from __future__ import annotations

from tests.reliability.operations.operation import (
    Act,
    fire_when_due,
    just_before,
    operation,
    wait_for_a_retry,
)
from tests.reliability.world import World


@operation(again=True)
def fire(world: World) -> Act:
    return fire_when_due(world)[1]


@operation(again=True)
def fire_with_jitter(world: World) -> Act:
    return fire_when_due(world, jitter_seconds=3_600)[1]


@operation(again=True, bus=True)
def fire_late(world: World) -> Act:
    """The slots of an hour and a half are due: one starts, the others are recorded as missed, of
    which people are told."""
    _, act = fire_when_due(world, schedule="*/30 * * * *")
    world.clock.move(minutes=35)
    return act


@operation(again=True, bus=True)
def fire_forbidden(world: World) -> Act:
    job, act = fire_when_due(world, concurrency_policy="forbid")
    run = world.yard.trigger(job)
    world.ecs.start(world.yard.task_of(run))
    return act


@operation(again=True)
def fire_free(world: World) -> Act:
    """The run in flight has ended and its event was lost: it must not block the slot."""
    job, act = fire_when_due(world, concurrency_policy="forbid")
    run = world.yard.trigger(job)
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.yard.take_events()
    return act


@operation(again=True)
def fire_replacing(world: World) -> Act:
    job, act = fire_when_due(world, concurrency_policy="replace", max_retries=1)
    wait_for_a_retry(world, job)
    run = world.yard.trigger(job)
    world.ecs.start(world.yard.task_of(run))
    return act


@operation(again=True)
def fire_that_waits_for_its_turn(world: World) -> Act:
    job, act = fire_when_due(world, concurrency_policy="queue")
    world.ecs.start(world.yard.task_of(world.yard.trigger(job)))
    world.yard.trigger(job)
    return act


@operation(again=True)
def fire_whose_turn_comes_while_it_is_claimed(world: World) -> Act:
    """The run before it ends after it was counted, so its end does not see the new run."""
    job, act = fire_when_due(world, concurrency_policy="queue")
    run = world.yard.trigger(job)

    def end() -> None:
        world.ecs.stop(world.yard.task_of(run), exit_code=0)
        world.deliver(world.yard.take_events())

    just_before(world, "dynamodb.TransactWriteItems", end)
    return act


@operation(again=True)
def fire_replacing_the_oldest_of_two(world: World) -> Act:
    job, act = fire_when_due(world, concurrency_policy="replace", max_concurrent_runs=2)
    for _ in range(2):
        world.ecs.start(world.yard.task_of(world.yard.trigger(job)))
        world.clock.move(seconds=1)
    return act


@operation(again=True)
def fire_whose_task_is_recorded_by_its_event(world: World) -> Act:
    """The task's event is handled between RunTask and the write that records the task."""
    _, act = fire_when_due(world)

    def start() -> None:
        world.ecs.start(world.ecs.tasks[0].arn)
        world.deliver(world.yard.take_events())

    just_before(
        world,
        "ecs.RunTask",
        lambda: just_before(world, "dynamodb.TransactWriteItems", start),
    )
    return act
