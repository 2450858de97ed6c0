"""If something fails, the sweep goes on with everything else."""

from __future__ import annotations

from typing import Any

from tests.reliability import invariants
from tests.reliability.failures import only_there, the_run
from tests.reliability.wire import refused, throttled
from tests.reliability.world import World


def test_a_failed_describe_tasks_counts_as_no_observation(world: World) -> None:
    """`seen_at` stays, and the next turn looks at the runs again."""
    world.fresh()
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.start(world.yard.task_of(run))
    world.deliver(world.yard.take_events())
    seen_at = the_run(world).seen_at
    world.clock.move(minutes=11)
    with world.wire.failing(
        asking=lambda _, name: throttled(name) if name == "ecs.DescribeTasks" else None
    ):
        world.sweep()
    assert the_run(world).seen_at == seen_at
    assert world.is_due()


def test_a_run_that_cannot_be_stored_does_not_hold_up_the_others(world: World) -> None:
    """The other runs are stored, whatever is wrong with this one."""
    world.fresh()
    job = world.job(name="a")
    runs = [world.yard.trigger(job) for _ in range(3)]
    for run in runs:
        world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.yard.take_events()
    writes: list[str] = []

    def fail_first(_: int, name: str) -> Any:
        if name == "dynamodb.TransactWriteItems":
            writes.append(name)
            if len(writes) == 1:
                return refused(name, "ValidationException", "Item size has exceeded", 400, 0)
        return None

    world.clock.move(minutes=2)
    with world.wire.failing(asking=fail_first):
        world.sweep()
    statuses = sorted(run.status for run in world.runs())
    assert statuses == ["pending", "succeeded", "succeeded"]
    invariants.hold_in_the_end(world)


def test_an_index_that_cannot_be_read_does_not_hold_up_the_rest(world: World) -> None:
    """The index of the jobs cannot be read, and the runs are swept anyway."""
    world.fresh()
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.yard.take_events()
    world.clock.move(minutes=2)
    with world.wire.failing(asking=only_there(1, lambda _, name: throttled(name))):
        world.sweep()
    assert the_run(world).status == "succeeded"
