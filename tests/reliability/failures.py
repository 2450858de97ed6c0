"""Ways in which AWS calls fail, and what a request may then be answered."""

from __future__ import annotations

from typing import Any

from tests.reliability.operations import Operation
from tests.reliability.wire import Failing, refused
from tests.reliability.world import World
from tests.yard import Answer

MOST = 100
REFUSED_MEANWHILE = {
    "create_losing_its_name",
    "create_over_the_quota",
    "cancel_of_one_that_has_finished_meanwhile",
}
"""Operations that another one refuses, which comes between two of their calls."""


def down(_: int, name: str) -> Any:
    return refused(name, "503", "Service Unavailable", 503)


def from_there_on(number: int, fail: Failing) -> Failing:
    return lambda count, name: fail(count, name) if count >= number else None


def only_there(number: int, fail: Failing) -> Failing:
    return lambda count, name: fail(count, name) if count == number else None


def check_answer(answer: Answer, operation: Operation) -> None:
    allowed = {200, 201, 503}
    if operation.name in REFUSED_MEANWHILE:
        allowed.add(409)
    assert answer.status in allowed, answer.envelope
    if answer.status == 503:
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.envelope["code"] == "unavailable"


def the_run(world: World) -> Any:
    (run,) = world.runs()
    return run
