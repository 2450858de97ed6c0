"""What the control plane logs: JSON with the ids of jobs and runs, and no secrets."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.domain.errors import JobyardError
from tests.reliability.operations import OPERATIONS, Operation
from tests.reliability.wire import Failing, refused, throttled, unanswered
from tests.reliability.world import World

SECRET = "hunter2"
FAILURES: list[Failing] = [
    lambda _, name: throttled(name),
    lambda _, name: unanswered(name),
    # AWS quotes its input in some errors
    lambda _, name: refused(name, "ValidationException", f"Bad value {SECRET}", 400),
]
"""The failures of every call of an operation; the operations take these in turn."""


@pytest.mark.parametrize("fails", [False, True], ids=["well", "failing"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_line_is_json_with_ids_and_without_values(
    world: World,
    operation: Operation,
    fails: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    This holds for every operation, whether AWS fails or not; env values and tokens are not logged.
    """
    made = world.yard.create

    def create(**spec: Any) -> dict[str, Any]:
        return made(**({"env": {"PASSWORD": SECRET}} | spec))

    monkeypatch.setattr(world.yard, "create", create)
    world.fresh(bus=operation.bus)
    act = operation.prepare(world)
    failure = FAILURES[OPERATIONS.index(operation) % len(FAILURES)] if fails else None
    # the function of an event or a schedule fails if AWS does, and is called again
    with (
        suppress(JobyardError, ClientError, PynamoDBException),
        world.wire.failing(asking=failure),
    ):
        act()
    out = capsys.readouterr().out
    assert SECRET not in out
    assert world.yard.token not in out
    for line in map(json.loads, out.splitlines()):
        assert {"level", "message", "request_id"} <= set(line)
        if line["message"].startswith("run "):
            assert line["job_id"].startswith("job_")
            assert line["run_id"].startswith("run_")
