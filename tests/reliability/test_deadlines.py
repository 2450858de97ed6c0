"""Requests and sweeps end in time, however slowly AWS answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.cloud import aws
from chalicelib.engine import shard_sweep
from tests.reliability import invariants
from tests.reliability.failures import MOST, check_answer
from tests.reliability.operations import OPERATIONS
from tests.reliability.wire import clients_of
from tests.reliability.world import World

IN_TIME = 25.0
"""Seconds within which every request must be answered, whatever AWS does."""


@contextlib.contextmanager
def slow(world: World, answered: int) -> Iterator[list[str]]:
    """
    Let the first `answered` attempts of AWS calls be answered just before they time out, and let
    all later ones time out, in virtual time. Yields the attempts.
    """
    attempts: list[str] = []

    def attempt(request: Any, **_: Any) -> None:
        attempts.append(str(request.headers.get("X-Amz-Target", request.url)))
        if len(attempts) <= answered:
            world.time.sleep(aws.READ_TIMEOUT * 0.99)
        else:
            world.time.sleep(aws.CONNECT_TIMEOUT + aws.READ_TIMEOUT)
            raise ReadTimeoutError(endpoint_url=request.url)

    clients = clients_of(world.on)
    for client in clients:
        client.meta.events.register_first("before-send.*.*", attempt)
    try:
        yield attempts
    finally:
        for client in clients:
            client.meta.events.unregister("before-send.*.*", attempt)


@pytest.mark.parametrize("answered", [0, 1, 2, 3, 4, 5, MOST])
@pytest.mark.parametrize(
    "name",
    ["create_with_a_key", "update_schedule_with_a_slot_due", "trigger", "status", "list_runs",
     "cancel_running", "delete_with_runs"],
)  # fmt: skip
def test_a_request_is_answered_in_time_whatever_aws_does(
    world: World, name: str, answered: int
) -> None:
    """Slow calls use up the request's time, and then AWS does not answer at all."""
    (operation,) = [each for each in OPERATIONS if each.name == name]
    act = operation.prepare(world.fresh(bus=operation.bus))
    began = world.time.elapsed
    with slow(world, answered) as attempts:
        answer = act()
    took = world.time.elapsed - began
    assert took <= IN_TIME, f"{took} s: {attempts}"
    check_answer(answer, operation)
    if answered == 0:
        assert len(attempts) == aws.ATTEMPTS


def test_a_sweep_ends_with_its_turn_whatever_aws_does(world: World) -> None:
    """
    Turns thus seldom overlap: the last attempt may end after the turn, but none is begun after it.
    """
    world.fresh()
    job = world.job(name="a", schedule="* * * * *")
    for _ in range(12):
        world.yard.trigger(job)
    world.clock.move(minutes=5)
    with slow(world, answered=MOST):
        began = world.time.elapsed
        world.sweep()
        took = world.time.elapsed - began
    assert took <= shard_sweep.TURN + aws.CONNECT_TIMEOUT + aws.READ_TIMEOUT
    invariants.hold_in_the_end(world)
