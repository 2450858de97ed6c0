"""Deleting a job with more runs than one turn can stop: none of them starts afterwards."""

from __future__ import annotations

from datetime import timedelta

from infra.local.fidelity.operations import Failure
from tests.reliability.world import World

IN_FLIGHT = 200
RUNNING = 40


def test_nothing_that_waits_starts_after_a_delete(world: World) -> None:
    """Each AWS call takes time, so the delete's own turn stops only some of the runs."""
    world.fresh()
    job = world.job(name="a")
    for _ in range(RUNNING):
        world.ecs.start(world.yard.task_of(world.yard.trigger(job)))
    world.deliver(world.yard.take_events())
    world.ecs.refuse_next(Failure("RESOURCE:ENI"), times=IN_FLIGHT - RUNNING)
    for _ in range(IN_FLIGHT - RUNNING):
        world.yard.trigger(job)
    assert len(world.made) == RUNNING
    world.exits = lambda task: None

    def slowly(_: int, __: str) -> None:
        world.time.sleep(0.1)

    with world.wire.failing(asking=slowly):
        assert world.yard.call("DELETE", f"/jobs/{job['id']}").status == 200
    assert any(run.status == "pending" for run in world.runs()), "one turn has stopped all runs"
    for _ in range(10):
        world.clock.at += timedelta(minutes=1)
        world.fargate()
        world.deliver(world.yard.take_events())
        world.sweep()
    assert len(world.made) == RUNNING
    assert world.jobs() == []
    assert world.runs() == []
    assert {task.last_status for task in world.ecs.tasks} == {"STOPPED"}
