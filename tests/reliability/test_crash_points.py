"""
The process dies at every AWS call of every operation, and the invariants hold in the end.

The cases are not written down: the call at which the process dies counts up until the operation
ends, so a new AWS call is a new case. The process dies either before the call is made, and then the
events of its tasks arrive; or after the call but before its answer is read, and then all events are
lost.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.reliability import invariants
from tests.reliability.cases import MOST, at_every_call
from tests.reliability.operations import OPERATIONS, Operation
from tests.reliability.wire import Death, Failing, die, throttled, unanswered
from tests.reliability.world import World


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_dying_before_or_after_any_call_keeps_the_invariants(
    world: World, operation: Operation, when: str
) -> None:
    """After time has passed and the sweep and the audit have run, the invariants hold."""
    at_every_call(
        lambda number: die_at(world, operation, number, when),
        lambda: invariants.hold_in_the_end(world, losing_events=when == "after"),
    )


def die_at(world: World, operation: Operation, number: int, when: str) -> str | None:
    """
    Run the operation in a fresh world and die at this call; return the call, or None if it ended.
    """
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
        act()  # the client, EventBridge or Lambda repeats it
        world.observe()
    return died_at


TWICE = ["trigger", "cancel_just_launched", "event_failed_with_a_retry", "fire_replacing"]
AGAIN: list[tuple[str, str, Failing]] = [
    ("died", "answered", die),
    ("was throttled", "asking", lambda _, name: throttled(name)),
    ("was unanswered", "answered", lambda _, name: unanswered(name)),
]
"""What happens to the sweep and at which moment; the cases take these in turn."""


@pytest.mark.parametrize("name", TWICE)
def test_dying_again_in_the_recovering_sweep_keeps_the_invariants(world: World, name: str) -> None:
    """
    The process dies at a call of the operation, and then something fails at a call of the next
    sweep.
    """
    (operation,) = [each for each in OPERATIONS if each.name == name]
    broken = []
    for number in range(1, MOST):
        died_at: str | None = None
        for second in range(1, MOST):
            died_at = die_at(world, operation, number, "after")
            world.clock.move(minutes=2)
            how, moment, fail = AGAIN[(number + second) % len(AGAIN)]
            there = _only_at(second, fail)
            with suppress(Death), world.wire.failing(**{moment: there}) as wire:
                world.sweep()
            if wire.count < second:
                break
            try:
                invariants.hold_at_rest(world, losing_events=True)
            except AssertionError as error:
                broken.append(f"died after {died_at}, then {how} at call {second}:\n{error}")
        if died_at is None:
            break
    assert not broken, "\n\n".join(broken)


def _only_at(number: int, fail: Failing) -> Failing:
    return lambda count, name: fail(count, name) if count == number else None
