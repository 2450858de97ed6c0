"""
AWS throttles, fails or does not answer at every call of every operation.

Each answer is a success that lasts, or a 503 with Retry-After. The sweep and the audit finish or
undo what was begun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.reliability import invariants
from tests.reliability.failures import MOST, check_answer, from_there_on, only_there
from tests.reliability.operations import OPERATIONS, Operation, jobs, runs
from tests.reliability.wire import Failing, refused, throttled, unanswered
from tests.reliability.world import World

REQUESTS = [operation for operation in OPERATIONS if operation.api]


HOW: dict[str, Callable[[int], dict[str, Failing]]] = {
    "throttled for good": lambda n: {
        "asking": from_there_on(n, lambda _, name: throttled(name)),
    },
    "made but unanswered": lambda n: {
        "answered": only_there(n, lambda _, name: unanswered(name)),
    },
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", REQUESTS, ids=lambda operation: operation.name)
def test_a_request_succeeds_or_says_503_and_leaves_nothing_half_done(
    world: World, operation: Operation, how: str
) -> None:
    """This holds whichever call fails. After a 503 the request may be repeated if that is safe."""
    wrong = []
    for number in range(1, MOST):
        world.fresh(bus=operation.bus)
        act = operation.prepare(world)
        world.observe()
        with world.wire.failing(**HOW[how](number)) as wire:
            answer = act()
            reached = wire.count >= number
        world.observe()
        if not reached:
            break
        try:
            check_answer(answer, operation)
            if operation.again and answer.status == 503:
                assert act().status in (200, 201, 503)
                world.observe()
            invariants.hold_at_rest(world)
        except AssertionError as error:
            wrong.append(f"{how} at call {number}:\n{error}")
    assert not wrong, "\n\n".join(wrong)
    assert number < MOST - 1


def answers_from(world: World, name: str, after: str, how: str) -> set[int]:
    """The statuses of an operation whose calls fail after the call `after` was made."""
    (operation,) = [each for each in OPERATIONS if each.name == name]
    found: set[int] = set()
    for number in range(1, MOST):
        world.fresh(bus=operation.bus)
        act = operation.prepare(world)
        with world.wire.failing(**HOW[how](number)) as wire:
            answer = act()
            names, reached = wire.names[: number - 1], wire.count >= number
        if not reached:
            assert found, "the operation makes no call after that one"
            return found
        if after in names:
            found.add(answer.status)
    raise AssertionError("the operation never ended")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("name", "after", "status"),
    [
        ("trigger", "dynamodb.TransactWriteItems", 201),
        ("trigger_what_ecs_refuses", "dynamodb.TransactWriteItems", 201),
        ("cancel_running", "dynamodb.TransactWriteItems", 200),
        ("cancel_pending", "dynamodb.TransactWriteItems", 200),
        ("delete", "dynamodb.TransactWriteItems", 200),
        ("get_running", "dynamodb.BatchGetItem", 200),
        ("get_of_one_whose_events_were_lost", "dynamodb.BatchGetItem", 200),
        ("list_runs", "dynamodb.Query", 200),
    ],
)
def test_a_stored_change_is_a_success_even_if_a_later_call_fails(
    world: World, name: str, after: str, status: int, how: str
) -> None:
    """A claimed run is triggered, a stored cancel is valid, and a read answers what is stored."""
    assert answers_from(world, name, after, how) == {status}


def test_a_status_is_answered_where_ecs_cannot_be_asked(world: World) -> None:
    """The answer has the stored status."""
    act = runs.status(world.fresh())
    with world.wire.failing(asking=lambda _, n: throttled(n) if n.startswith("ecs.") else None):
        assert act().status == 200


def conflicts(times: int) -> tuple[Failing, list[str]]:
    """Let the first `times` writes of each kind meet a transaction in progress."""
    met: list[str] = []

    def meet(_: int, name: str) -> Any:
        if met.count(name) >= times:
            return None
        if name == "dynamodb.UpdateItem":
            met.append(name)
            return refused(name, "TransactionConflictException", "Transaction is ongoing", 400, 0)
        if name == "dynamodb.TransactWriteItems":
            met.append(name)
            answer = refused(name, "TransactionCanceledException", "[Conflict]", 400, 0)
            answer[1]["CancellationReasons"] = [{"Code": "TransactionConflict"}, {"Code": "None"}]
            return answer
        return None

    return meet, met


@pytest.mark.parametrize(
    "name", ["create", "update_name", "update_container", "trigger", "cancel_pending", "delete"]
)
def test_a_conflict_with_a_transaction_in_progress_is_retried(world: World, name: str) -> None:
    """DynamoDB refuses writes of the transaction's items, and botocore does not repeat those."""
    (operation,) = [each for each in OPERATIONS if each.name == name]
    act = operation.prepare(world.fresh(bus=operation.bus))
    meet, met = conflicts(3)
    with world.wire.failing(asking=meet):
        assert act().status in (200, 201)
    assert len(met) >= 3
    invariants.hold_in_the_end(world)


def test_contention_without_end_is_a_503(world: World) -> None:
    """The answer has a Retry-After, and nothing is changed."""
    act = jobs.update_container(world.fresh())
    with world.wire.failing(asking=conflicts(1000)[0]):
        answer = act()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    invariants.hold_in_the_end(world)
