"""
Something else happens in between: at every AWS call of every operation, and then it goes on.

Two events of one task, a fire and the sweep, a cancel and a retry run in functions of their own
at the same time. So before each call of an operation an intruder does all of its own work, as if
the operation's function had been held up just there. Like the crash points, the cases enumerate
themselves.
"""

from __future__ import annotations

import pytest

from tests.reliability import intruders, invariants
from tests.reliability.intruders import Intruder, intruding
from tests.reliability.operations import OPERATIONS, Act, Operation
from tests.reliability.world import World

MOST = 200
"""Calls of one operation; more would be a loop."""

INTRUDERS: dict[str, Intruder | None] = {
    "the same again": None,
    "a sweep": intruders.a_sweep,
    "an end": intruders.an_end,
    "an unheard end": intruders.an_unheard_end,
    "a cancel": intruders.a_cancel,
    "a read": intruders.a_read,
    "a trigger": intruders.a_trigger,
    "a fire": intruders.a_fire,
    "a delete": intruders.a_delete,
    "an update": intruders.an_update,
}


@pytest.mark.parametrize("intruder", INTRUDERS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_whatever_happens_between_two_calls_all_ends_well(
    world: World, operation: Operation, intruder: str
) -> None:
    """Before each call in turn; then the operation goes on, and the invariants hold."""
    broken = []
    for number in range(1, MOST):
        met_at = None
        try:
            met_at = meet_at(world, operation, number, INTRUDERS[intruder])
            invariants.hold_in_the_end(world, always_audited=False)
        except AssertionError as error:
            broken.append(f"{intruder} before call {number}, {met_at}:\n{error}")
        if met_at is None:
            break
    assert not broken, "\n\n".join(broken)
    assert number < MOST - 1, "it never got through"


def meet_at(
    world: World, operation: Operation, number: int, intruder: Intruder | None
) -> str | None:
    """Do it in a fresh world, with the intruder before that call; the call, or None."""
    world.fresh(bus=operation.bus)
    act: Act = operation.prepare(world)
    world.observe()
    intrude = intruding(world, intruder or (lambda _: act()))
    met: list[str] = []

    def at(count: int, name: str) -> None:
        if count == number:
            met.append(name)
            intrude(count, name)

    with world.wire.failing(asking=at):
        act()
    world.observe()
    return met[0] if met else None
