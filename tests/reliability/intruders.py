"""What may happen while an operation is under way, in a function of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from datetime import timedelta
from typing import Any

from tests.reliability.world import World

Intruder = Callable[[World], None]


def _call(world: World, method: str, path: str, body: Any = None) -> None:
    """Whatever is answered is fine, but that something is broken, or down."""
    answer = world.yard.call(method, path, body)
    assert answer.status < 500, answer.envelope


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
            _call(world, "POST", f"/jobs/{run.job_id}/runs/{run.run_id}/cancel")


def a_read(world: World) -> None:
    """Of every run, by its client."""
    for run in world.runs():
        _call(world, "GET", f"/jobs/{run.job_id}/runs/{run.run_id}")


def a_trigger(world: World) -> None:
    """Of every job."""
    for job in world.jobs():
        _call(world, "POST", f"/jobs/{job.job_id}/runs")


def a_fire(world: World) -> None:
    """Of every job, for this minute."""
    for job in world.jobs():
        world.yard.fire({"id": job.job_id}, world.clock() + timedelta(seconds=5))


def a_delete(world: World) -> None:
    """Of every job."""
    for job in world.jobs():
        _call(world, "DELETE", f"/jobs/{job.job_id}")


def an_update(world: World) -> None:
    """Of every job: another schedule, another command, and what one run may do to another."""
    changes = {"command": ["z"], "schedule": "0 15 * * *", "concurrency_policy": "replace"}
    for job in world.jobs():
        _call(world, "PATCH", f"/jobs/{job.job_id}", changes)


class Meeting:
    """
    An intruder at one call of an operation, by its number or the first of its name: all that it
    does is done there, and then the operation goes on.

    It has neither the operation's deadline nor its ids in the log. What goes wrong with it is
    kept for `check`, for the operation may outlive whatever is raised at one of its calls.
    """

    def __init__(self, world: World, intruder: Intruder, where: int | str) -> None:
        self._world = world
        self._intruder = intruder
        self._where = where
        self._error: Exception | None = None
        self.met: str | None = None
        """The call at which it was, once it was."""

    def __call__(self, count: int, name: str) -> None:
        if self.met is not None or self._where not in (count, name):
            return
        self.met = name
        try:
            Context().run(self._world.wire.meanwhile, lambda: self._intruder(self._world))
            self._world.observe()
        except Exception as error:  # noqa: BLE001 - whatever it is, `check` raises it
            self._error = error

    def check(self) -> None:
        """Raise what the intruder failed with."""
        if self._error is not None:
            raise self._error
