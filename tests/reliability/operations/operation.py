"""What an operation is, and what the preparations of several operations share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from chalicelib.cloud import aws
from chalicelib.domain import ids
from infra.local.fidelity.run_task import EcsError
from infra.local.fidelity.tasks import Task
from tests.reliability.wire import Death
from tests.reliability.world import World
from tests.yard import Answer

Act = Callable[[], Any]

PASSES = "CannotPullContainerError: i/o timeout"
"""A failure to start that may not happen to another launch."""


@dataclass(frozen=True)
class Operation:
    """`prepare` prepares a world and returns the act itself."""

    name: str
    prepare: Callable[[World], Act]
    bus: bool = False
    """Whether terminal runs are announced on a bus."""
    again: bool = False
    """Whether the caller repeats it after a failure, because that is safe."""
    api: bool = False
    """Whether the act is one HTTP request and returns its Answer."""


OPERATIONS: list[Operation] = []


def operation(**traits: bool) -> Callable[[Callable[[World], Act]], Callable[[World], Act]]:
    def register(prepare: Callable[[World], Act]) -> Callable[[World], Act]:
        OPERATIONS.append(Operation(prepare.__name__, prepare, **traits))
        return prepare

    return register


def request(world: World, method: str, path: str, body: Any = None, **more: Any) -> Act:
    return lambda: world.yard.call(method, path, body, **more)


def just_before(world: World, call: str, happen: Callable[[], object]) -> None:
    """Let somebody else do something once, just before the next call of this name."""
    note = world.wire.made

    def look(name: str, params: dict[str, Any]) -> None:
        if name == call:
            world.wire.made = note
            Context().run(world.wire.meanwhile, happen)
        note(name, params)

    world.wire.made = look


def die_at(world: World, call: str, act: Callable[[], object]) -> None:
    """Do the act, and die before this call is made."""

    def die(_: int, name: str) -> None:
        if name == call:
            raise Death(name)

    with suppress(Death), world.wire.failing(asking=die):
        act()


def run_path(run: dict[str, Any]) -> str:
    return f"/jobs/{run['job_id']}/runs/{run['id']}"


DAILY = "0 13 * * *"
"""Its first slot is an hour after START; it is due only if a preparation moves the clock."""


def throttle_launch(world: World) -> None:
    """Throttle every attempt of the next RunTask: it is then certain that no task was made."""
    world.ecs.refuse_next(EcsError("ThrottlingException", "Rate exceeded"), times=aws.ATTEMPTS)


def cancel_request(world: World, run: dict[str, Any]) -> Act:
    return request(world, "POST", f"{run_path(run)}/cancel")


def wait_for_a_retry(world: World, job: dict[str, Any]) -> dict[str, Any]:
    run = world.yard.trigger(job)
    world.yard.finish(run, exit_code=1)
    return run


def interrupted_run(world: World, *, times: int, **spec: Any) -> dict[str, Any]:
    """A run whose tasks were interrupted so often, and which waits to be launched again."""
    run = world.yard.trigger(world.job(name="a", **spec))
    for number in range(times):
        if number:
            world.clock.move(minutes=1)
            world.sweep()
        world.interrupt(world.yard.task_of(run))
        world.deliver(world.yard.take_events())
    return run


def launch_unanswered(world: World, job: dict[str, Any]) -> dict[str, Any]:
    """A run whose trigger died after RunTask was made and before its answer was read."""

    def die(_: int, name: str) -> None:
        if name == "ecs.RunTask":
            raise Death(name)

    before = {run.run_id for run in world.runs()}
    try:
        with world.wire.failing(answered=die):
            world.yard.trigger(job)
    except Death:
        pass
    run = next(run for run in world.runs() if run.run_id not in before)
    return {"id": run.run_id, "job_id": run.job_id}


def fire_when_due(world: World, **spec: Any) -> tuple[dict[str, Any], Act]:
    job = world.job(name="a", **({"schedule": DAILY} | spec))
    world.observe()
    world.clock.move(hours=1, seconds=2)
    world.clock.at += world.jobs()[0].delay
    return job, lambda: world.yard.fire(job)


def stray_task(world: World) -> Task:
    """A task in Jobyard's form whose run does not exist."""
    job = world.job(name="a")
    definition = world.jobs()[0].task_definition
    world.on.ecs.run(
        task_definition=definition,
        on_spot=False,
        client_token="stray",
        started_by=f"{job['id']}/{ids.new_run(world.clock())}/1",
        overrides={},
        tags=[],
    )
    task = world.ecs.tasks[-1]
    world.strays.add(task.arn)
    return task


def answered(act: Act) -> Answer | None:
    """Do the act, and return its answer if it has one."""
    answer = act()
    return answer if isinstance(answer, Answer) else None
