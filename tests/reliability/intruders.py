"""What other processes may do while an operation runs."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from datetime import timedelta
from typing import Any

from tests.reliability.world import World

Intruder = Callable[[World], None]


def _call(world: World, method: str, path: str, body: Any = None) -> None:
    """Send a request; any answer is fine except a 5xx."""
    answer = world.yard.call(method, path, body)
    assert answer.status < 500, answer.envelope


def a_sweep(world: World) -> None:
    """A sweep runs after the operation was delayed for longer than any lease."""
    world.clock.move(minutes=2)
    world.sweep()


def an_end(world: World) -> None:
    """Every task ends, and its event arrives."""
    _all_end(world)
    world.deliver(world.yard.take_events())


def an_unheard_end(world: World) -> None:
    """Every task ends, some with an error, and the events are lost; a sweep finds it."""
    _all_end(world)
    world.yard.take_events()
    a_sweep(world)


def an_interruption(world: World) -> None:
    """Every task on Spot is interrupted, and its event arrives."""
    for task in world.ecs.tasks:
        if task.last_status != "STOPPED" and task.is_spot:
            world.interrupt(task.arn)
    world.deliver(world.yard.take_events())


def _all_end(world: World) -> None:
    for number, task in enumerate(world.ecs.tasks):
        if task.last_status != "STOPPED":
            world.ecs.stop(task.arn, exit_code=number % 2)


def a_cancel(world: World) -> None:
    """A client cancels every run that is not over."""
    for run in world.runs():
        if not run.is_terminal:
            _call(world, "POST", f"/jobs/{run.job_id}/runs/{run.run_id}/cancel")


def a_read(world: World) -> None:
    """A client reads every run."""
    for run in world.runs():
        _call(world, "GET", f"/jobs/{run.job_id}/runs/{run.run_id}")


def a_trigger(world: World) -> None:
    """A client triggers every job."""
    for job in world.jobs():
        _call(world, "POST", f"/jobs/{job.job_id}/runs")


def a_fire(world: World) -> None:
    """The rule of every job fires for this minute."""
    for job in world.jobs():
        world.yard.fire({"id": job.job_id}, world.clock() + timedelta(seconds=5))


def a_delete(world: World) -> None:
    """A client deletes every job."""
    for job in world.jobs():
        _call(world, "DELETE", f"/jobs/{job.job_id}")


def an_update(world: World) -> None:
    """A client changes every job's schedule, command and concurrency policy."""
    changes = {"command": ["z"], "schedule": "0 15 * * *", "concurrency_policy": "replace"}
    for job in world.jobs():
        _call(world, "PATCH", f"/jobs/{job.job_id}", changes)


class Meeting:
    """
    Lets an intruder act at one call of an operation, given by its number, or by its name at the
    first such call. The intruder does all its work there, and then the operation goes on.

    The intruder has neither the operation's deadline nor its ids in the log. Its error is stored
    for `check`, because the operation may handle what is raised at one of its calls.
    """

    def __init__(self, world: World, intruder: Intruder, where: int | str) -> None:
        self._world = world
        self._intruder = intruder
        self._where = where
        self._error: Exception | None = None
        self.met: str | None = None
        """The name of the call at which the intruder acted, or None."""

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
        """Raise the intruder's error, if it had one."""
        if self._error is not None:
            raise self._error
