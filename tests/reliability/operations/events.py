"""ECS's task state-change events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.reliability.operations.operation import (
    PASSES,
    Act,
    cancel_request,
    fire_when_due,
    interrupted_run,
    just_before,
    launch_unanswered,
    operation,
    stray_task,
)
from tests.reliability.world import World


def _event(world: World, move: Callable[[str], None], **spec: Any) -> Act:
    run = world.yard.trigger(world.job(name="a", **spec))
    move(world.yard.task_of(run))
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


def _event_after(world: World, first: int, then: int) -> Act:
    """The end of a run with the exit code `then`, after one with `first`."""
    job = world.job(name="a")
    world.yard.finish(world.yard.trigger(job), exit_code=first)
    run = world.yard.trigger(job)
    world.ecs.stop(world.yard.task_of(run), exit_code=then)
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


@operation(again=True)
def event_running(world: World) -> Act:
    return _event(world, world.ecs.start)


@operation(again=True, bus=True)
def event_stopped(world: World) -> Act:
    return _event(world, lambda arn: world.ecs.stop(arn, exit_code=0))


@operation(again=True, bus=True)
def event_failed(world: World) -> Act:
    return _event(world, lambda arn: world.ecs.stop(arn, exit_code=3))


@operation(again=True, bus=True)
def event_failed_again(world: World) -> Act:
    """The job's last run had failed already: people are told of none but the first."""
    return _event_after(world, first=3, then=4)


@operation(again=True, bus=True)
def event_recovered(world: World) -> Act:
    """The job's last run had failed: people are told that it recovered."""
    return _event_after(world, first=3, then=0)


@operation(again=True, bus=True)
def event_failed_beside_another(world: World) -> Act:
    """Two runs fail at once, and while one is counted the other is too."""
    job = world.job(name="a")
    runs = [world.yard.trigger(job) for _ in range(2)]
    events = []
    for run in runs:
        world.ecs.stop(world.yard.task_of(run), exit_code=3)
        events += world.yard.take_events()[-1:]
    just_before(world, "dynamodb.TransactWriteItems", lambda: world.deliver(events[1:]))
    return lambda: world.deliver(events[:1])


@operation(again=True)
def event_failed_with_a_retry(world: World) -> Act:
    return _event(world, lambda arn: world.ecs.stop(arn, exit_code=3), max_retries=1)


@operation(again=True)
def event_that_could_not_start(world: World) -> Act:
    return _event(world, lambda arn: world.ecs.fail_to_start(arn, PASSES))


@operation(again=True)
def event_interrupted(world: World) -> Act:
    return _event(world, world.interrupt, capacity="spot", max_retries=1)


@operation(again=True)
def event_interrupted_so_that_the_next_launch_is_on_demand(world: World) -> Act:
    run = interrupted_run(world, times=1, capacity="spot_then_on_demand")
    return _interrupted_next(world, run)


@operation(again=True, bus=True)
def event_interrupted_for_the_last_time(world: World) -> Act:
    """The attempt has been started again as often as it may be, and the run has no retry."""
    return _interrupted_next(world, interrupted_run(world, times=5, capacity="spot"))


def _interrupted_next(world: World, run: dict[str, Any]) -> Act:
    world.clock.move(minutes=1)
    world.sweep()
    world.interrupt(world.yard.task_of(run))
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


@operation(again=True)
def event_interrupted_before_the_launch_was_answered(world: World) -> Act:
    """It is the first that is heard of the task."""
    launch_unanswered(world, world.job(name="a", capacity="spot"))
    world.interrupt(world.ecs.tasks[0].arn)
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


@operation(again=True)
def event_interrupted_of_a_cancelled_one(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a", capacity="spot"))
    cancel_request(world, run)()
    world.interrupt(world.yard.task_of(run))
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


@operation(again=True)
def event_of_a_cancelled_one(world: World) -> Act:
    """The task stopped, and a newer slot waits for that."""
    _, act = fire_when_due(world, concurrency_policy="replace")
    (job,) = world.jobs()
    run = world.yard.trigger({"id": job.job_id})
    act()
    world.ecs.stop(world.yard.task_of(run), exit_code=143)
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


@operation(again=True)
def event_that_lets_the_next_in_line_start(world: World) -> Act:
    job = world.job(name="a", concurrency_policy="queue")
    run = world.yard.trigger(job)
    for _ in range(2):
        world.yard.trigger(job)
    return _ends(world, run, exit_code=0)


@operation(again=True)
def event_of_a_failure_in_a_line_of_two_at_once(world: World) -> Act:
    job = world.job(name="a", concurrency_policy="queue", max_concurrent_runs=2)
    run = world.yard.trigger(job)
    for _ in range(3):
        world.yard.trigger(job)
    return _ends(world, run, exit_code=1)


def _ends(world: World, run: dict[str, Any], *, exit_code: int) -> Act:
    world.ecs.stop(world.yard.task_of(run), exit_code=exit_code)
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


@operation(again=True)
def event_before_the_launch_was_answered(world: World) -> Act:
    launch_unanswered(world, world.job(name="a"))
    world.ecs.start(world.ecs.tasks[0].arn)
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])


@operation(again=True)
def event_of_a_stray_task(world: World) -> Act:
    """The task's run does not exist."""
    stray_task(world)
    world.ecs.start(world.ecs.tasks[0].arn)
    event = world.yard.take_events()[-1]
    return lambda: world.deliver([event])
