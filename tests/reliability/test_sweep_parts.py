"""
The parts that a sweep hands out: lost, doubled, late, at the same time, or not taken by Lambda.

What dying at each of their calls does is in `test_crash_points.py`, by the operation
`sweep_that_hands_out_its_parts`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.reliability import invariants
from tests.reliability.cases import at_every_call
from tests.reliability.intruders import Meeting
from tests.reliability.operations.sweeps import due_everywhere
from tests.reliability.wire import Death, die, throttled
from tests.reliability.world import World


def handed_out(world: World) -> World:
    """Something of each kind is due, and a sweep has handed it out: the launches, and a shard."""
    due_everywhere(world.fresh())
    assert world.on.sweep.turn()["parts"] == 2
    assert [part["part"] for part in world.yard.parts] == ["launches", "shard"]
    return world


ORDERS: dict[str, Callable[[int], list[int]]] = {
    "all lost": lambda _: [],
    "the launches lost": lambda _: [1],
    "the shard lost": lambda _: [0],
    "each twice": lambda _: [1, 0, 1, 0],
    "the launches first, and again": lambda _: [0, 0, 1, 0],
}


@pytest.mark.parametrize("order", ORDERS)
def test_parts_that_are_lost_doubled_or_out_of_order_change_nothing(
    world: World, order: str
) -> None:
    """The tables say what is due: each slot and launch happens once, at the latest a minute on."""
    handed_out(world)
    parts = list(world.yard.parts)
    world.yard.parts.clear()
    for number in ORDERS[order](len(parts)):
        world.on.sweep.part(parts[number])
    world.minute()
    slots = [run for run in world.runs() if run.scheduled_for is not None]
    assert len(slots) == 1
    assert slots[0].task_arn, "the next sweep came to what was lost"
    invariants.hold_at_rest(world)


def test_parts_of_yesterday_do_nothing(world: World) -> None:
    """Lambda drops them after a minute; if it did not, what they name is done."""
    handed_out(world)
    late = list(world.yard.parts)
    world.minute()
    world.pass_time()
    made = len(world.made)
    world.hands_out()
    for part in late:
        world.on.sweep.part(part)
    assert len(world.made) == made
    invariants.hold_at_rest(world)


def test_two_of_the_same_part_at_once_claim_and_launch_each_run_once(world: World) -> None:
    """Before each call of one, another function does the whole of the same part, and the other."""

    def meet(number: int) -> str | None:
        handed_out(world)
        parts = list(world.yard.parts)
        world.yard.parts.clear()

        def both(_: World) -> None:
            for part in parts:
                world.on.sweep.part(part)

        meeting = Meeting(world, both, number)
        with world.wire.failing(asking=meeting):
            for part in parts[::-1]:
                world.on.sweep.part(part)
        meeting.check()
        world.observe()
        return meeting.met

    at_every_call(meet, lambda: invariants.hold_at_rest(world))


def test_a_slot_whose_write_is_throttled_is_claimed_in_the_same_turn(world: World) -> None:
    """A part tries again, after pauses, what it could not claim."""
    handed_out(world)
    refused: list[str] = []

    def throttle_the_first(_: int, name: str) -> object:
        if name == "dynamodb.TransactWriteItems" and len(refused) < 2:
            refused.append(name)
            return throttled(name)
        return None

    with world.wire.failing(asking=throttle_the_first):
        world.yard.deliver_parts()
    assert len(refused) == 2
    assert len([run for run in world.runs() if run.scheduled_for is not None]) == 1
    invariants.hold_at_rest(world)


@pytest.mark.parametrize("taken", [0, 1])
def test_what_lambda_does_not_take_the_sweep_does_itself(world: World, taken: int) -> None:
    """Nothing at all, or the launches alone: the slot is claimed in the same minute."""
    due_everywhere(world.fresh())
    world.refuse_parts_after(taken)
    assert world.on.sweep.turn()["parts"] == taken
    assert len([run for run in world.runs() if run.scheduled_for is not None]) == 1
    world.yard.deliver_parts()
    invariants.hold_at_rest(world)


def test_without_a_function_for_parts_the_sweep_does_all_itself(world: World) -> None:
    """As it is where the setting is missing."""
    due_everywhere(world.fresh())
    world.set_up(sweep_part_function=None, shards=world.on.settings.shards)
    world.hands_out()
    assert world.on.sweep.turn()["parts"] == 0
    assert world.yard.parts == []
    invariants.hold_at_rest(world)


def test_a_launcher_that_died_keeps_the_next_one_waiting_for_half_a_minute_only(
    world: World,
) -> None:
    """Its lease ends by itself; the next sweep's launcher goes on."""
    handed_out(world)
    launches, shard = world.yard.parts
    world.on.sweep.part(shard)
    made = len(world.made)
    with (
        suppress(Death),
        world.wire.failing(asking=lambda n, name: die(n, name) if name == "ecs.RunTask" else None),
    ):
        world.on.sweep.part(launches)
    assert len(world.made) == made
    assert world.on.sweep.part(launches) == {"launched": 0}, "another one might still be at work"
    world.yard.parts.clear()
    world.clock.move(seconds=31)
    assert world.on.sweep.part(launches) == {"launched": 1}
    invariants.hold_at_rest(world)
