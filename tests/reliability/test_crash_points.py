"""
Kill it anywhere: at every AWS call of every operation the process dies, and all ends well.

The cases are not written down. For each operation the call at which it dies counts up until the
operation gets through, so an AWS call that is added is a case that is added. It dies in two ways:
before the call is made, and then the events of its tasks arrive; or after it was made but before
its answer was read, and then they are all lost.
"""

from __future__ import annotations

import pytest

from tests.reliability import invariants
from tests.reliability.operations import OPERATIONS, Operation
from tests.reliability.wire import Death
from tests.reliability.world import World

MOST = 200
"""Calls of one operation; more would be a loop."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_dying_at_any_call_loses_and_doubles_nothing(
    world: World, operation: Operation, when: str
) -> None:
    """Time passes, the sweep and the audit run, and the invariants hold."""
    broken = []
    for number in range(1, MOST):
        died_at = None
        try:
            died_at = die(world, operation, number, when)
            invariants.hold_in_the_end(world, losing_events=when == "after")
        except AssertionError as error:
            broken.append(f"died {when} call {number}, {died_at}:\n{error}")
        if died_at is None:
            break
    assert not broken, "\n\n".join(broken)
    assert number < MOST - 1, "it never got through"


def die(world: World, operation: Operation, number: int, when: str) -> str | None:
    """Do it in a fresh world and die at that call: the call, or None where it got through."""
    world.fresh(bus=operation.bus)
    act = operation.prepare(world)
    world.observe()
    died_at = None
    try:
        with world.wire.dying(number, when):
            act()
    except Death as death:
        died_at = str(death)
    world.observe()
    if operation.again and died_at is not None:
        act()  # the client, EventBridge or Lambda asks again
        world.observe()
    return died_at
