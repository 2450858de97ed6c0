"""What may happen while an operation is under way, in a function of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from datetime import timedelta

from tests.reliability.wire import Failing
from tests.reliability.world import World

Intruder = Callable[[World], None]


def a_sweep(world: World) -> None:
    """The function was held up for longer than any lease."""
    world.clock.move(minutes=2)
    world.sweep()


def an_end(world: World) -> None:
    """Every task ends, and its event arrives."""
    _all_end(world)
    world.deliver(world.yard.take_events())


def an_unheard_end(world: World) -> None:
    """Every task ends, some badly, and the events are lost; a sweep finds it."""
    _all_end(world)
    world.yard.take_events()
    a_sweep(world)


def _all_end(world: World) -> None:
    for number, task in enumerate(world.ecs.tasks):
        if task.last_status != "STOPPED":
            world.ecs.stop(task.arn, exit_code=number % 2)


def a_cancel(world: World) -> None:
    """Of every run that is not over."""
    for run in world.runs():
        if not run.is_terminal:
            world.yard.call("POST", f"/jobs/{run.job_id}/runs/{run.run_id}/cancel")


def a_read(world: World) -> None:
    """Of every run, by its client."""
    for run in world.runs():
        world.yard.call("GET", f"/jobs/{run.job_id}/runs/{run.run_id}")


def a_trigger(world: World) -> None:
    """Of every job."""
    for job in world.jobs():
        world.yard.call("POST", f"/jobs/{job.job_id}/runs")


def a_fire(world: World) -> None:
    """Of every job, for this minute."""
    for job in world.jobs():
        world.yard.fire({"id": job.job_id}, world.clock() + timedelta(seconds=5))


def a_delete(world: World) -> None:
    """Of every job."""
    for job in world.jobs():
        world.yard.call("DELETE", f"/jobs/{job.job_id}")


def an_update(world: World) -> None:
    """Of every job: another schedule, another command, and what one run may do to another."""
    changes = {"command": ["z"], "schedule": "0 15 * * *", "concurrency_policy": "replace"}
    for job in world.jobs():
        world.yard.call("PATCH", f"/jobs/{job.job_id}", changes)


def intruding(world: World, intruder: Intruder) -> Failing:
    """
    All of what an intruder does, at this call; then the operation goes on.

    It has neither the operation's deadline nor its ids in the log, and fails by itself alone.
    """

    def intrude(count: int, name: str) -> None:
        Context().run(world.wire.meanwhile, lambda: intruder(world))
        world.observe()

    return intrude
