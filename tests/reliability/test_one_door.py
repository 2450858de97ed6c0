"""AWS calls are made only in their own modules, and throttling there is `Unavailable`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import chalicelib
from chalicelib.domain.errors import Unavailable
from chalicelib.tables.records import Place, Token
from tests.reliability.operations import OPERATIONS, Operation
from tests.reliability.wire import refused, throttled, unanswered
from tests.reliability.world import World

PRODUCT = Path(str(chalicelib.__file__)).parent
DOORS = {"dynamodb": {"tables/database.py"}}
"""The modules that may call a service; all other services are called from cloud."""


def caller() -> str:
    """The module of the product that is nearest to this call in the stack."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PRODUCT):
            return str(path.relative_to(PRODUCT))
        frame = frame.f_back
    raise AssertionError("no module of the product made this call")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_aws_call_is_made_by_tables_or_cloud(world: World, operation: Operation) -> None:
    """DynamoDB is called by `tables.database`, everything else by a module of `cloud`."""
    act = operation.prepare(world.fresh(bus=operation.bus))
    made: set[tuple[str, str]] = set()
    with world.wire.failing(asking=lambda _, name: made.add((name.split(".")[0], caller()))):
        act()
    assert made
    for service, module in made:
        assert module in DOORS.get(service, {module}), (service, module)
        assert service in DOORS or module.startswith("cloud/"), (service, module)


def _token(world: World) -> Token:
    _, made = world.on.tokens.create(
        "acme", "read", projects=None, name="t", life=None, now=world.clock()
    )
    return made


ACCESSES: dict[str, Callable[[World], Callable[[], Any]]] = {
    "runs.due": lambda world: lambda: world.on.due_runs_table.due(0, world.clock(), 10),
    "runs.newest": lambda world: (
        lambda: list(world.on.runs_table.newest("job_1", before=None, limit=1))
    ),
    "runs.get": lambda world: lambda: world.on.runs_table.get("job_1", "run_1"),
    "jobs.due": lambda world: lambda: world.on.jobs_table.due(0, world.clock(), 10),
    "jobs.all_in_shard": lambda world: lambda: world.on.jobs_table.all_in_shard(0),
    "jobs.place": lambda world: lambda: world.on.jobs_table.place("rules"),
    "jobs.keep_place": lambda world: (
        lambda: world.on.jobs_table.keep_place(Place("audit", "rules"), "a token", world.clock())
    ),
    "tokens.find": lambda world: lambda: world.on.tokens_table.find("0" * 64),
    "tokens.put": lambda world: lambda: _token(world),
    "tokens.touch": lambda world: _touch(world),
    "tokens.every": lambda world: lambda: list(world.on.tokens_table.every()),
    "tokens.delete": lambda world: _delete(world),
}


def _touch(world: World) -> Callable[[], Any]:
    made = _token(world)
    return lambda: world.on.tokens_table.touch(made, "2026-11-23")


def _delete(world: World) -> Callable[[], Any]:
    made = _token(world)
    return lambda: world.on.tokens.revoke(made, world.clock())


FAILURES: dict[str, Callable[[int, str], Any]] = {
    "throttled": lambda _, name: refused(
        name, "ProvisionedThroughputExceededException", "Slow down.", 400
    ),
    "down": lambda _, name: refused(name, "InternalServerError", "Oh.", 500),
    "unanswered": lambda _, name: unanswered(name),
}


@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("name", ACCESSES)
def test_a_table_that_cannot_be_reached_is_unavailable(world: World, name: str, how: str) -> None:
    """No exception of PynamoDB or botocore leaves the tables, whatever the access is."""
    access = ACCESSES[name](world.fresh())
    with world.wire.failing(asking=FAILURES[how]) as wire:
        with pytest.raises(Unavailable):
            access()
        assert wire.count == 1
    access()


@pytest.mark.parametrize("what", ["sweep", "audit"])
def test_a_throttled_table_is_no_defect_of_the_sweep_or_the_audit(
    world: World, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each call is throttled in turn: this gives a warning, which raises no alarm, and no error."""
    for number in range(1, 60):
        world.fresh()
        world.job(name="a", schedule="0 * * * *")
        world.yard.trigger(world.job(name="b"))
        world.clock.move(hours=1, minutes=5)
        capsys.readouterr()

        def fail(count: int, name: str, at: int = number) -> Any:
            return throttled(name) if count == at and name.startswith("dynamodb.") else None

        with world.wire.failing(asking=fail) as wire:
            getattr(world, what)()
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line for line in lines if line["level"] == "error"] == []
        if wire.count < number:
            break
    assert number > 5
