"""Every request gets an answer, and a repeated delivery changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.usecases.stack_jobs import StackJobs
from tests.reliability.wire import Death, Wire, throttled
from tests.stacks.stack import Stack
from tests.yard import Context

DAILY = "0 3 * * *"


def test_an_event_that_comes_again_changes_nothing(stack: Stack) -> None:
    """
    It may come again at once or after later events: Lambda promises neither order nor a single
    delivery.
    """
    create = stack.event("Create", properties={"Tags": ["1"]})
    made = stack.send(create)["PhysicalResourceId"]
    assert stack.send(create)["PhysicalResourceId"] == made
    first = stack.event("Update", physical_id=made, properties={"Tags": ["2"]}, old_properties={})
    assert stack.send(first)["Data"]["Version"] == "2"
    second = stack.event("Update", physical_id=made, properties={"Tags": ["3"]}, old_properties={})
    stack.send(second)
    for late in (create, first, second):
        answer = stack.send(late)
        assert (answer["Status"], answer["Data"]["Version"]) == ("SUCCESS", "3")
    stack.ask("Delete", physical_id=made)
    for late in (create, first, second):
        assert stack.send(late)["Status"] == "FAILED"
    assert stack.jobs() == {}


def test_a_failed_create_that_comes_again_after_its_delete_makes_no_job(stack: Stack) -> None:
    """Nothing would ever delete such a job."""
    taken = stack.yard.create(name="a")["id"]
    create = stack.event("Create")
    failed = stack.send(create)["PhysicalResourceId"]
    stack.ask("Delete", physical_id=failed)
    stack.yard.call("DELETE", f"/jobs/{taken}")
    assert stack.send(create)["Status"] == "FAILED"
    assert stack.jobs() == {}


def test_a_defect_is_answered_too(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """CloudFormation would wait for an hour; the reason says where to look, without details."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(StackJobs, "apply")
        answer = stack.ask("Create", properties={"Env": {"KEY": "hunter2"}})
    assert answer["Status"] == "FAILED"
    assert Context.aws_request_id in answer["Reason"]
    logged = capsys.readouterr().out
    assert '"level":"error","message":"a defect"' in logged
    assert "hunter2" not in logged + json.dumps(answer)


def test_a_request_of_another_kind_is_refused(stack: Stack) -> None:
    """The function does not treat it as one of the three kinds that it knows."""
    assert "'Read'" in stack.ask("Read")["Reason"]


def test_a_long_reason_is_cut_to_what_cloudformation_takes(stack: Stack) -> None:
    """The whole answer may have 4,096 bytes; CloudFormation does not take a longer one."""
    wrong = {f"Wröng{number:03}": "x" for number in range(200)}
    answer = stack.ask("Create", properties=wrong)
    assert answer["Reason"].startswith("Wröng000: is unknown") and answer["Reason"].endswith("…")
    assert 3_500 < len(stack.server.bodies[-1]) <= 4096


class Hurried(Context):
    """A Lambda function whose time is nearly over."""

    def get_remaining_time_in_millis(self) -> int:
        return 36_000


@pytest.mark.parametrize("context", [Context(), Hurried()])
def test_what_aws_throttles_is_answered_before_the_functions_time_is_up(
    stack: Stack, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function tries again as long as there is time, and then refuses with a message."""
    spent: list[float] = []
    monkeypatch.setattr(stack.yard.clock, "sleep", spent.append)
    start = stack.yard.clock.monotonic()
    monkeypatch.setattr(stack.yard.clock, "monotonic", lambda: start + sum(spent), raising=False)
    with Wire(stack.yard.system) as wire, wire.failing(asking=lambda _, name: throttled(name)):
        answer = stack.send(stack.event("Create"), context)
    assert answer["Status"] == "FAILED" and "Try again" in answer["Reason"]
    left = context.get_remaining_time_in_millis() / 1000 - sum(spent)
    assert left > 30


def test_what_aws_throttles_for_a_moment_succeeds(stack: Stack) -> None:
    """The user need not deploy again because of that."""
    refusals = iter([throttled])

    def once(_: int, name: str) -> Any:
        fail = next(refusals, None)
        return fail and fail(name)

    with Wire(stack.yard.system) as wire, wire.failing(asking=once):
        assert stack.ask("Create")["Status"] == "SUCCESS"


def test_dying_anywhere_and_coming_again_ends_in_one_answer(stack: Stack) -> None:
    """
    The function dies after each AWS call in turn, and the event comes again twice: one job is made.
    """
    for number in range(1, 40):
        name = f"n{number}"
        event = stack.event("Create", properties={"Name": name, "Schedule": DAILY})
        died = False
        with Wire(stack.yard.system) as wire, wire.dying(number, "after"):
            try:
                stack.send(event)
            except Death:
                died = True
        first = stack.send(event)
        assert first["Status"] == "SUCCESS"
        assert stack.send(event)["PhysicalResourceId"] == first["PhysicalResourceId"]
        assert list(stack.jobs().values()).count(name) == 1
        if not died:
            break
    assert 5 < number < 39
