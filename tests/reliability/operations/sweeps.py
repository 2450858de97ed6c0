"""Turns of the sweep."""

from __future__ import annotations

from infra.local.fidelity.operations import Failure
from infra.local.fidelity.run_task import EcsError
from tests.reliability.operations.operation import (
    DAILY,
    Act,
    cancel_request,
    die_at,
    fire_when_due,
    interrupted_run,
    just_before,
    launch_unanswered,
    operation,
    request,
    throttle_launch,
    wait_for_a_retry,
)
from tests.reliability.wire import Death
from tests.reliability.world import World


def _sweep(world: World, **later: float) -> Act:
    world.yard.take_events()
    world.clock.move(**later)
    world.observe()
    return world.sweep


@operation()
def sweep_nothing(world: World) -> Act:
    world.job(name="a")
    return _sweep(world)


@operation()
def sweep_an_unanswered_launch(world: World) -> Act:
    launch_unanswered(world, world.job(name="a"))
    return _sweep(world, minutes=2)


@operation()
def sweep_a_launch_that_was_never_made(world: World) -> Act:
    job = world.job(name="a")

    def die(_: int, name: str) -> None:
        if name == "ecs.RunTask":
            raise Death(name)

    try:
        with world.wire.failing(asking=die):
            world.yard.trigger(job)
    except Death:
        pass
    return _sweep(world, minutes=2)


@operation()
def sweep_a_throttled_launch(world: World) -> Act:
    """It was throttled at the trigger, and is throttled again."""
    job = world.job(name="a")
    throttle_launch(world)
    world.yard.trigger(job)
    throttle_launch(world)
    return _sweep(world, minutes=1)


@operation()
def sweep_a_launch_unanswered_for_an_hour(world: World) -> Act:
    launch_unanswered(world, world.job(name="a"))
    world.ecs.start(world.ecs.tasks[0].arn)
    return _sweep(world, minutes=55)


@operation()
def sweep_a_retry(world: World) -> Act:
    wait_for_a_retry(world, world.job(name="a", max_retries=1))
    return _sweep(world, minutes=2)


@operation()
def sweep_an_interrupted_run(world: World) -> Act:
    interrupted_run(world, times=1, capacity="spot")
    return _sweep(world, minutes=1)


@operation()
def sweep_an_interrupted_run_that_goes_on_demand(world: World) -> Act:
    interrupted_run(world, times=2, capacity="spot_then_on_demand")
    return _sweep(world, minutes=1)


@operation()
def sweep_an_interruption_that_was_not_heard(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a", capacity="spot"))
    world.interrupt(world.yard.task_of(run))
    world.yard.take_events()
    return _sweep(world, minutes=2)


@operation()
def sweep_a_run_without_spot_capacity(world: World) -> Act:
    """It has waited so long that this refusal makes its next launch on demand."""
    job = world.job(name="a", capacity="spot_then_on_demand")
    world.ecs.refuse_next(Failure("Capacity is unavailable at this time."), times=2)
    world.yard.trigger(job)
    return _sweep(world, minutes=6)


@operation(bus=True)
def sweep_a_lost_event(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    return _sweep(world, minutes=2)


@operation()
def sweep_what_ran_too_long(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a", timeout_seconds=60, max_retries=1))
    world.ecs.start(world.yard.task_of(run))
    world.deliver(world.yard.take_events())
    world.exits = lambda task: None
    return _sweep(world, minutes=2)


@operation()
def sweep_what_does_not_start(world: World) -> Act:
    world.yard.trigger(world.job(name="a"))
    return _sweep(world, minutes=61)


@operation(bus=True)
def sweep_what_ecs_forgot(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    arn = world.yard.task_of(run)
    world.ecs.stop(arn, exit_code=0)
    world.yard.take_events()
    world.clock.move(minutes=61)
    world.sweep()
    return _sweep(world, minutes=11)


@operation()
def sweep_a_stop_that_was_not_heard(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.start(world.yard.task_of(run))
    world.ecs.refuse_next(EcsError("ThrottlingException", "Rate exceeded"), operation="StopTask")
    world.ecs.refuse_next(
        EcsError("ThrottlingException", "Rate exceeded"), operation="StopTask", times=2
    )
    cancel_request(world, run)()
    return _sweep(world, minutes=2)


@operation()
def sweep_a_cancelled_launch(world: World) -> Act:
    run = launch_unanswered(world, world.job(name="a"))
    cancel_request(world, run)()
    return _sweep(world, minutes=2)


@operation()
def sweep_due_slots(world: World) -> Act:
    fire_when_due(world, schedule="*/20 * * * *")
    return _sweep(world, minutes=2)


@operation()
def sweep_due_slots_with_jitter(world: World) -> Act:
    """Of a job without rules; some slots still wait for their delay."""
    world.room_for_rules(0)
    fire_when_due(world, schedule="*/20 * * * *", jitter_seconds=3_600)
    return _sweep(world)


@operation()
def sweep_due_slots_of_a_job_that_changes(world: World) -> Act:
    """The job is renamed while its slots start, so its cursor must be read again."""
    job, _ = fire_when_due(world, schedule="*/20 * * * *")
    sweep = _sweep(world, minutes=2)
    rename = request(world, "PATCH", f"/jobs/{job['id']}", {"name": "b"})
    just_before(world, "ecs.RunTask", rename)
    return sweep


@operation()
def sweep_a_held_run(world: World) -> Act:
    job, act = fire_when_due(world, concurrency_policy="replace")
    run = world.yard.trigger(job)
    act()
    world.ecs.stop(world.yard.task_of(run), exit_code=143)
    return _sweep(world, minutes=2)


@operation()
def sweep_a_line_whose_first_has_ended(world: World) -> Act:
    """The process that saw the end died before it launched the next."""
    job = world.job(name="a", concurrency_policy="queue")
    run = world.yard.trigger(job)
    for _ in range(2):
        world.yard.trigger(job)
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    event = world.yard.take_events()[-1]
    die_at(world, "dynamodb.Query", lambda: world.deliver([event]))
    assert len(world.made) == 1
    return _sweep(world, minutes=4)


@operation(bus=True)
def sweep_an_unfinished_delete(world: World) -> Act:
    job = world.job(name="a", schedule=DAILY)
    world.yard.finish(world.yard.trigger(job))
    run = world.yard.trigger(job)
    world.yard.call("DELETE", f"/jobs/{job['id']}")
    world.ecs.stop(world.yard.task_of(run), exit_code=143)
    return _sweep(world, minutes=2)


@operation()
def sweep_a_delete_that_died(world: World) -> Act:
    """The job's rules still exist."""
    job = world.job(name="a", schedule="0 13 1 * 1")
    die_at(world, "events.ListRules", request(world, "DELETE", f"/jobs/{job['id']}"))
    return _sweep(world, minutes=2)


@operation(bus=True)
def sweep_an_unsent_event(world: World) -> Act:
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)

    def die(_: int, name: str) -> None:
        if name == "events.PutEvents":
            raise Death(name)

    try:
        with world.wire.failing(asking=die):
            world.deliver(world.yard.take_events())
    except Death:
        pass
    return _sweep(world, minutes=2)


def due_everywhere(world: World) -> None:
    """A slot of a job without rules, a run that was never launched, and a lost event."""
    world.room_for_rules(0)
    world.job(name="a", schedule="*/20 * * * *")
    other = world.job(name="b")
    launch_unanswered(world, other)
    run = world.yard.trigger(other)
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.yard.take_events()
    world.clock.move(minutes=20)
    world.observe()
    world.hands_out()


@operation()
def sweep_that_hands_out_its_parts(world: World) -> Act:
    """And each part is done: the shard's, and then the launches."""
    due_everywhere(world)

    def act() -> None:
        world.on.sweep.turn()
        for part in world.yard.parts[::-1]:
            world.on.sweep.part(part)

    return act
