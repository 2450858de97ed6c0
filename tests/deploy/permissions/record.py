"""
Runs everything that Jobyard does in a world of its own, and records each function's AWS calls.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from infra.local import provision, template
from tests.deploy.permissions.calls import Needed
from tests.deploy.permissions.policies import DEFAULT_ROLE, STAGE, stage_names
from tests.deploy.permissions.recorder import Call, Recorder
from tests.deploy.permissions.routes import EXTRA
from tests.reliability.cases import MOST
from tests.reliability.operations import OPERATIONS, Act, Operation, answered
from tests.reliability.test_crash_points import die_at
from tests.reliability.test_interleaving import IN_TURN, meet_at
from tests.reliability.world import World, make_world

OWN_ROLE = f"arn:aws:iam::{provision.ACCOUNT}:role/jobyard/{STAGE}/acme/example"
KINDS: dict[str, dict[str, Any]] = {
    "": {},
    " with a role and tags of its own": {"task_role_arn": OWN_ROLE, "tags": ["team=data"]},
}
"""The fields that jobs get unless an operation sets them; everything runs once for each kind."""

Do = Callable[[World, Operation], None]


def everything() -> Recorder:
    """Run each operation for each kind of job, and let the hours after it pass."""
    sweeps = [operation for operation in OPERATIONS if operation.name.startswith("sweep_")]
    return _each(_once, [*OPERATIONS, *EXTRA, *map(_in_parts, sweeps)], KINDS)


def _in_parts(operation: Operation) -> Operation:
    """The same, but the sweep hands out all that it does, then and in the hours after."""

    def prepare(world: World) -> Act:
        act = operation.prepare(world)
        world.hands_out()
        return act

    return replace(operation, name=f"{operation.name} in parts", prepare=prepare)


def with_failures() -> Recorder:
    """
    Run each operation of the reliability tests, with the process dying before and after each call,
    and with another process acting in between.

    This takes minutes; it shows whether `everything` leaves a call out.
    """
    return _each(_at_every_call, OPERATIONS, {"": {}})


def by_lambda() -> list[Call]:
    """What Lambda itself does with a function's role: write the log, and store failed events."""
    names = stage_names()
    group = names["Logs.Arn"].removesuffix(":*")
    found = []
    for resource in template.read()["Resources"].values():
        properties = resource.get("Properties", {})
        name = properties.get("FunctionName", {}).get("Fn::Sub")
        if name is None:
            continue
        function = name.removeprefix("jobyard-${Stage}-")
        stream = f"{group}:log-stream:example"
        needed = [Needed(f"logs:{a}", stream) for a in ("CreateLogStream", "PutLogEvents")]
        kept = properties.get("EventInvokeConfig", {}).get("DestinationConfig", {}).get("OnFailure")
        if kept is not None:
            queue = names[".".join(kept["Destination"]["Fn::GetAtt"])]
            needed.append(Needed("sqs:SendMessage", queue))
        found += [Call(function, each, "Lambda itself") for each in needed]
    return found


def _each(do: Do, operations: list[Operation], kinds: dict[str, dict[str, Any]]) -> Recorder:
    recorder = Recorder()
    with (
        _environment(),
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),  # the product's log
        make_world(STAGE) as world,
        recorder.installed(),
    ):
        for kind, defaults in kinds.items():
            with _jobs_made_with(world, defaults):
                for operation in operations:
                    recorder.operation = operation.name + kind
                    do(world, operation)
    return recorder


def _once(world: World, operation: Operation) -> None:
    world.fresh(bus=True)
    answer = answered(operation.prepare(world))
    assert answer is None or answer.status != 500, answer.envelope
    _hours(world)


def _hours(world: World) -> None:
    world.pass_time()
    world.clock.move(minutes=62)
    world.audit()
    world.pass_time()


def _at_every_call(world: World, operation: Operation) -> None:
    for when in ("before", "after"):
        for number in range(1, MOST):
            died_at = die_at(world, operation, number, when)
            _hours(world)
            if died_at is None:
                break
    intruders = [None, *IN_TURN.values()]
    for number in range(1, MOST):
        if meet_at(world, operation, number, intruders[number % len(intruders)]) is None:
            break
        _hours(world)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """The settings of STAGE, with the roles that its policies name."""
    names = stage_names()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in provision.settings(STAGE).items():
            patch.setenv(name, value)
        patch.setenv("JOBYARD_EXECUTION_ROLE_ARN", names["ExecutionRole.Arn"])
        patch.setenv("JOBYARD_DEFAULT_TASK_ROLE_ARN", DEFAULT_ROLE)
        yield


@contextlib.contextmanager
def _jobs_made_with(world: World, defaults: dict[str, Any]) -> Iterator[None]:
    create = world.yard.create
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.yard, "create", lambda **spec: create(**(defaults | spec)))
        yield
