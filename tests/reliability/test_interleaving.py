"""
Another process acts at every AWS call of every operation, and then the operation goes on.

Two events of one task, a fire and the sweep, or a cancel and a retry may run in parallel. So before
each call of an operation an intruder does all of its own work, as if the operation's function had
been delayed there. As with the crash points, nobody writes the cases.
"""

from __future__ import annotations

import os

import pytest

from tests.reliability import intruders, invariants
from tests.reliability.cases import at_every_call
from tests.reliability.intruders import Intruder, Meeting
from tests.reliability.operations import OPERATIONS, Act, Operation
from tests.reliability.world import World

ALWAYS = "the same again"
IN_TURN: dict[str, Intruder] = {
    "a sweep": intruders.a_sweep,
    "an end": intruders.an_end,
    "a cancel": intruders.a_cancel,
    "an unheard end": intruders.an_unheard_end,
    "an interruption": intruders.an_interruption,
    "an update": intruders.an_update,
    "a read": intruders.a_read,
    "a delete": intruders.a_delete,
    "a fire": intruders.a_fire,
    "a trigger": intruders.a_trigger,
}
"""
By default each acts at every tenth call, in an order that varies; JOBYARD_INTERLEAVING=all runs all
at every call.
"""
EACH = os.environ.get("JOBYARD_INTERLEAVING") == "all"


@pytest.mark.parametrize("who", [ALWAYS, *(IN_TURN if EACH else ["in turn"])])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_any_operation_between_two_calls_keeps_the_invariants(
    world: World, operation: Operation, who: str
) -> None:
    """The intruder acts before one call, the operation goes on, and the invariants hold."""

    def meet(number: int) -> str | None:
        name = _whose_turn(operation, number) if who == "in turn" else who
        call = meet_at(world, operation, number, IN_TURN.get(name))
        return call and f"{name} before {call}"

    at_every_call(meet, lambda: invariants.hold_at_rest(world))


def _whose_turn(operation: Operation, number: int) -> str:
    return list(IN_TURN)[(OPERATIONS.index(operation) + number) % len(IN_TURN)]


def meet_at(
    world: World, operation: Operation, number: int, intruder: Intruder | None
) -> str | None:
    """
    Run the operation in a fresh world with the intruder, or with itself if None, before this call;
    return the call, or None if the operation ended before.
    """
    world.fresh(bus=operation.bus)
    act: Act = operation.prepare(world)
    world.observe()
    meeting = Meeting(world, intruder or (lambda _: act()), number)
    with world.wire.failing(asking=meeting):
        act()
    meeting.check()
    world.observe()
    return meeting.met
