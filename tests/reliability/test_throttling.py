"""
AWS throttles, fails or does not answer, at every call of every operation.

Every answer is a success that holds or a 503 with Retry-After, in time; what was begun is
finished or undone by the sweep and the audit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib.cloud import aws
from chalicelib.domain import time_limits
from chalicelib.engine import sweep
from infra.local.fidelity.operations import Failure
from infra.local.fidelity.run_task import EcsError
from tests.reliability import invariants, operations
from tests.reliability.operations import OPERATIONS, Operation
from tests.reliability.wire import Failing, clients_of, refused, throttled, unanswered
from tests.reliability.world import World
from tests.yard import Answer

REQUESTS = [operation for operation in OPERATIONS if operation.api]
MOST = 100
IN_TIME = 25.0
"""Seconds within which every request must be answered, whatever AWS does."""


def down(_: int, name: str) -> Any:
    return refused(name, "503", "Service Unavailable", 503)


# --- every call of every request --------------------------------------------------------------


def from_there_on(number: int, fail: Failing) -> Failing:
    return lambda count, name: fail(count, name) if count >= number else None


def only_there(number: int, fail: Failing) -> Failing:
    return lambda count, name: fail(count, name) if count == number else None


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
    """Whichever call fails. Where it says 503, asking again is safe if the operation says so."""
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


def check_answer(answer: Answer, operation: Operation) -> None:
    allowed = {200, 201, 503}
    if operation.name in ("create_losing_its_name", "cancel_of_one_that_has_finished_meanwhile"):
        allowed.add(409)
    assert answer.status in allowed, answer.envelope
    if answer.status == 503:
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.envelope["code"] == "unavailable"


def answers_from(world: World, name: str, after: str, how: str) -> set[int]:
    """The statuses of an operation, where each call after the first `after` fails for good."""
    (operation,) = [each for each in OPERATIONS if each.name == name]
    found: set[int] = set()
    for number in range(1, MOST):
        world.fresh(bus=operation.bus)
        act = operation.prepare(world)
        with world.wire.failing(**HOW[how](number)) as wire:
            answer = act()
            names, reached = wire.names[: number - 1], wire.count >= number
        if not reached:
            assert found, "no call comes after it"
            return found
        if after in names:
            found.add(answer.status)
    raise AssertionError("it never got through")


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
def test_what_is_stored_is_a_success_whatever_fails_then(
    world: World, name: str, after: str, status: int, how: str
) -> None:
    """A claimed run is triggered, a stored cancel is one, a read answers what is known."""
    assert answers_from(world, name, after, how) == {status}


def test_a_status_is_answered_where_ecs_cannot_be_asked(world: World) -> None:
    """As it is stored."""
    act = operations.status(world.fresh())
    with world.wire.failing(asking=lambda _, n: throttled(n) if n.startswith("ecs.") else None):
        assert act().status == 200


# --- in time ----------------------------------------------------------------------------------


@contextlib.contextmanager
def slow(world: World, answered: int) -> Iterator[list[str]]:
    """
    Every attempt of every AWS call is answered just before it would time out; after so many no
    attempt is answered. In virtual time. Yields the attempts.
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
    """Slow calls use up its time, and then nothing answers at all."""
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
    """So that turns seldom overlap: the last attempt may outlast it, no further one is made."""
    world.fresh()
    job = world.job(name="a", schedule="* * * * *")
    for _ in range(12):
        world.yard.trigger(job)
    world.clock.move(minutes=5)
    with slow(world, answered=MOST):
        began = world.time.elapsed
        world.sweep()
        took = world.time.elapsed - began
    assert took <= sweep.TURN + aws.CONNECT_TIMEOUT + aws.READ_TIMEOUT
    invariants.hold_in_the_end(world)


# --- contention ---------------------------------------------------------------------------------


def conflicts(times: int) -> tuple[Failing, list[str]]:
    """Writes of DynamoDB meet a transaction that is under way, so often each."""
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
def test_a_transaction_under_way_is_waited_out(world: World, name: str) -> None:
    """DynamoDB refuses writes of its items meanwhile, and botocore does not try those again."""
    (operation,) = [each for each in OPERATIONS if each.name == name]
    act = operation.prepare(world.fresh(bus=operation.bus))
    meet, met = conflicts(3)
    with world.wire.failing(asking=meet):
        assert act().status in (200, 201)
    assert len(met) >= 3
    invariants.hold_in_the_end(world)


def test_contention_without_end_is_a_503(world: World) -> None:
    """With a Retry-After, and nothing is changed."""
    act = operations.update_container(world.fresh())
    with world.wire.failing(asking=conflicts(1000)[0]):
        answer = act()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    invariants.hold_in_the_end(world)


# --- launching ----------------------------------------------------------------------------------


def the_run(world: World) -> Any:
    (run,) = world.runs()
    return run


def at_run_task(fail: Failing) -> Failing:
    return lambda count, name: fail(count, name) if name == "ecs.RunTask" else None


def raise_throttle_after_a_silent_attempt(_: int, name: str) -> Any:
    """botocore asked twice: the first attempt made the task, the second was throttled."""
    answer: Any = refused(name, "ThrottlingException", "Rate exceeded", 400, retries=1)[1]
    raise ClientError(answer, "RunTask")


FIRST: dict[str, dict[str, Failing]] = {
    "made, answer lost": {"answered": at_run_task(lambda _, name: unanswered(name))},
    "made, then throttled": {"answered": at_run_task(raise_throttle_after_a_silent_attempt)},
    "never made": {"asking": at_run_task(lambda _, name: unanswered(name))},
}
THEN: dict[str, Failing] = {
    "throttled": lambda _, name: throttled(name),
    "unanswered": lambda _, name: unanswered(name),
    "denied": lambda _, name: refused(name, "AccessDeniedException", "No.", 400, 0),
    "busy": lambda _, name: refused(
        name, "InvalidParameterException", "Request limit exceeded.", 400, 0
    ),
    "down": down,
}


@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("first", FIRST)
def test_a_launch_of_which_nothing_is_known_is_repeated_with_its_token(
    world: World, first: str, then: str
) -> None:
    """What the repeat is answered proves nothing of the first: one task, and its verdict."""
    world.fresh()
    job = world.job(name="a", max_retries=1)
    with world.wire.failing(**FIRST[first]):
        world.yard.trigger(job)
    world.yard.take_events()
    for _ in range(3):
        world.clock.move(minutes=1)
        with world.wire.failing(asking=at_run_task(THEN[then])):
            world.sweep()
    run = the_run(world)
    assert (run.status, run.attempt, run.launch) == ("pending", 1, 1)
    world.clock.move(minutes=1)
    world.sweep()
    assert len(world.made) == 1
    invariants.hold_in_the_end(world)
    assert the_run(world).status == "succeeded"


def test_a_launch_without_capacity_is_another_launch_even_after_silence(world: World) -> None:
    """ECS looks at the token first: an answer without a task says that the token has none."""
    world.fresh()
    job = world.job(name="a")
    with world.wire.failing(**FIRST["never made"]):
        world.yard.trigger(job)
    world.ecs.refuse_next(Failure("RESOURCE:ENI"))
    world.clock.move(minutes=1)
    world.sweep()
    run = the_run(world)
    assert (run.status, run.launch, run.requested_at) == ("pending", 2, None)
    invariants.hold_in_the_end(world)


def test_a_refusal_that_will_not_pass_fails_at_once(world: World) -> None:
    """Where it was the only request of its launch."""
    world.fresh()
    job = world.job(name="a")
    world.ecs.refuse_next(EcsError("AccessDeniedException", "No."))
    world.yard.trigger(job)
    run = the_run(world)
    assert (run.status, run.error["code"]) == ("failed", "start_failed")


def test_two_sweeps_at_once_ask_for_one_launch_once(world: World) -> None:
    """The first holds the launch while it asks; a refusal it gets is of its request alone."""
    world.fresh()
    job = world.job(name="a")
    world.ecs.refuse_next(Failure("RESOURCE:ENI"))
    world.yard.trigger(job)
    world.clock.move(minutes=1)
    asked: list[str] = []

    def meanwhile(_: int, name: str) -> None:
        if name == "ecs.RunTask":
            asked.append(name)
            if len(asked) == 1:
                world.on.sweep.turn()

    world.ecs.refuse_next(Failure("RESOURCE:ENI"))
    with world.wire.failing(asking=meanwhile):
        world.sweep()
    assert len(asked) == 1
    invariants.hold_in_the_end(world)


def test_a_launch_without_an_answer_for_an_hour_fails_and_says_what_was_said(
    world: World,
) -> None:
    """After 50 minutes ECS may have forgotten the token: asking again could make a second task."""
    world.fresh()
    job = world.job(name="a")
    with world.wire.failing(**FIRST["never made"]):
        world.yard.trigger(job)
    with world.wire.failing(asking=at_run_task(THEN["denied"])) as wire:
        for _ in range(65):
            world.clock.move(minutes=1)
            world.sweep()
        asked = wire.names.count("ecs.RunTask")
    run = the_run(world)
    assert asked <= time_limits.TOKEN_LIFE.total_seconds() / 60
    assert (run.status, run.error["code"]) == ("failed", "start_failed")
    assert "No." in run.error["message"]


def test_a_task_whose_launch_and_events_were_all_lost_is_found_for_an_hour_after_its_end(
    world: World,
) -> None:
    """ECS lists a family's stopped tasks for that long."""
    world.fresh()
    job = world.job(name="a")
    with world.wire.failing(**FIRST["made, answer lost"]):
        world.yard.trigger(job)
    world.ecs.stop(world.ecs.tasks[0].arn, exit_code=0)
    world.yard.take_events()
    world.clock.move(minutes=55)
    world.sweep()
    assert the_run(world).status == "succeeded"


# --- the sweep ------------------------------------------------------------------------------------


def test_a_describe_that_failed_is_no_sight_of_any_task(world: World) -> None:
    """`seen_at` stays, and the runs are looked at again with the next turn."""
    world.fresh()
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.start(world.yard.task_of(run))
    world.deliver(world.yard.take_events())
    seen_at = the_run(world).seen_at
    world.clock.move(minutes=11)
    with world.wire.failing(
        asking=lambda _, name: throttled(name) if name == "ecs.DescribeTasks" else None
    ):
        world.sweep()
    assert the_run(world).seen_at == seen_at
    assert world.is_due()


def test_a_run_that_cannot_be_stored_does_not_hold_up_the_others(world: World) -> None:
    """Whatever its defect is."""
    world.fresh()
    job = world.job(name="a")
    runs = [world.yard.trigger(job) for _ in range(3)]
    for run in runs:
        world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.yard.take_events()
    writes: list[str] = []

    def fail_first(_: int, name: str) -> Any:
        if name == "dynamodb.TransactWriteItems":
            writes.append(name)
            if len(writes) == 1:
                return refused(name, "ValidationException", "Item size has exceeded", 400, 0)
        return None

    world.clock.move(minutes=2)
    with world.wire.failing(asking=fail_first):
        world.sweep()
    statuses = sorted(run.status for run in world.runs())
    assert statuses == ["pending", "succeeded", "succeeded"]
    invariants.hold_in_the_end(world)


def test_an_index_that_cannot_be_read_does_not_hold_up_the_rest(world: World) -> None:
    """The jobs' one is down: the runs are swept all the same."""
    world.fresh()
    run = world.yard.trigger(world.job(name="a"))
    world.ecs.stop(world.yard.task_of(run), exit_code=0)
    world.yard.take_events()
    world.clock.move(minutes=2)
    with world.wire.failing(asking=only_there(1, lambda _, name: throttled(name))):
        world.sweep()
    assert the_run(world).status == "succeeded"
