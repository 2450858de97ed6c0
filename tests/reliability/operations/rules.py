"""Operations on a bus that has no room for a schedule's rules, or on a stage that makes none."""

from __future__ import annotations

from typing import Any

from tests.reliability.operations.operation import DAILY, Act, operation, request
from tests.reliability.world import World
from tests.yard import IMAGE

TWO_RULES = "0 13 1 * 1"
"""A day may match by its date or by its weekday."""


def _update(world: World, before: dict[str, Any], patch: dict[str, Any]) -> Act:
    job = world.job(name="a", **before)
    world.observe()
    return request(world, "PATCH", f"/jobs/{job['id']}", patch)


def _makes_rules(world: World, wake: str) -> None:
    world.set_up(wake=wake, shards=world.on.settings.shards)


@operation(api=True)
def create_without_room_for_rules(world: World) -> Act:
    """The bus has room for the first of the two rules, and not for the second."""
    world.room_for_rules(1)
    return request(world, "POST", "/jobs", {"name": "a", "image": IMAGE, "schedule": TWO_RULES})


@operation(api=True, again=True)
def update_to_more_rules_than_there_is_room_for(world: World) -> Act:
    world.room_for_rules(1)
    return _update(world, {"schedule": DAILY}, {"schedule": TWO_RULES, "name": "b"})


@operation(api=True, again=True)
def update_with_room_for_rules_again(world: World) -> Act:
    world.room_for_rules(0)
    act = _update(world, {"schedule": TWO_RULES}, {"name": "b"})
    world.room_for_rules(2)
    return act


@operation(api=True, again=True)
def unpause_where_no_rules_are_made_any_more(world: World) -> Act:
    """The job was paused while the stage made rules, and has a disabled one."""
    act = _update(world, {"schedule": DAILY, "paused": True}, {"paused": False})
    _makes_rules(world, "sweep")
    return act


@operation()
def sweep_a_slot_of_a_job_without_rules(world: World) -> Act:
    """The slot starts in its minute, since there is no rule to wait for."""
    world.room_for_rules(0)
    world.job(name="a", schedule=DAILY)
    world.observe()
    world.clock.move(hours=1)
    return world.sweep


@operation()
def audit_with_room_for_rules_again(world: World) -> Act:
    """There is room for the rules of two of the three jobs."""
    world.room_for_rules(0)
    for name, schedule in (("a", TWO_RULES), ("b", DAILY), ("c", TWO_RULES)):
        world.job(name=name, schedule=schedule)
    world.observe()
    world.room_for_rules(3)
    return world.audit


@operation()
def audit_rules_that_find_no_room_any_more(world: World) -> Act:
    """Somebody removed one of the two rules, and others took its place."""
    world.job(name="a", schedule=TWO_RULES)
    world.observe()
    world.remove_rule(next(iter(world.rules())))
    world.room_for_rules(1)
    return world.audit


@operation()
def audit_where_no_rules_are_made_any_more(world: World) -> Act:
    """One job is active and one is paused, and both still have their rules."""
    world.job(name="a", schedule=TWO_RULES)
    world.job(name="b", schedule=DAILY, paused=True)
    world.observe()
    _makes_rules(world, "sweep")
    return world.audit


@operation()
def audit_where_rules_are_made_again(world: World) -> Act:
    _makes_rules(world, "sweep")
    world.job(name="a", schedule=TWO_RULES)
    world.observe()
    _makes_rules(world, "rules")
    return world.audit
