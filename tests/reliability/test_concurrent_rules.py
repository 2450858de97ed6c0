"""
EventBridge refuses a change of a rule while another one is in progress; a later try succeeds.

PutRule, PutTargets, RemoveTargets and DeleteRule then raise ConcurrentModificationException;
PutTargets and RemoveTargets may also report it as the code of a failed target (EventBridge API
reference).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.reliability import invariants
from tests.reliability.operations import OPERATIONS, audits, jobs
from tests.reliability.wire import Failing, HttpAnswer, refused
from tests.reliability.world import World

CODE = "ConcurrentModificationException"
CALLS = ["events.PutRule", "events.PutTargets", "events.RemoveTargets", "events.DeleteRule"]
CHANGING = {
    "create_scheduled": {"events.PutRule", "events.PutTargets"},
    "update_schedule": {*CALLS},
    "update_to_on_demand": {"events.RemoveTargets", "events.DeleteRule"},
    "pause": {"events.PutRule", "events.PutTargets"},
    "delete": {"events.RemoveTargets", "events.DeleteRule"},
}
"""Requests that change rules, and the calls with which they do."""


def error(name: str) -> Any:
    return refused(name, CODE, "Rule is being modified.", 400, retries=0)


def failed_target(_: str) -> Any:
    failed = [{"TargetId": "fire", "ErrorCode": CODE, "ErrorMessage": "Too many at once."}]
    answer = {"FailedEntryCount": 1, "FailedEntries": failed}
    return HttpAnswer(200), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}


ANSWERS = {"error": error, "failed target": failed_target}


def busy(call: str, times: int, answer: Any = error) -> tuple[Failing, list[str]]:
    """The first `times` calls of that name meet another change."""
    met: list[str] = []

    def meet(_: int, name: str) -> Any:
        if name != call or len(met) >= times:
            return None
        met.append(name)
        return answer(name)

    return meet, met


@pytest.mark.parametrize(
    ("name", "call", "how"),
    [
        (name, call, how)
        for name, calls in CHANGING.items()
        for call in sorted(calls)
        for how in ANSWERS
        if how == "error" or call.endswith("Targets")
    ],
)
def test_a_concurrent_change_of_a_rule_is_retried(
    world: World, name: str, call: str, how: str
) -> None:
    """The request succeeds as if it had been alone, after repeating the call."""
    (operation,) = [each for each in OPERATIONS if each.name == name]
    act = operation.prepare(world.fresh(bus=operation.bus))
    meet, met = busy(call, 2, ANSWERS[how])
    before = world.time.elapsed
    with world.wire.failing(asking=meet):
        assert act().status in (200, 201)
    assert len(met) == 2
    assert 0 < world.time.elapsed - before < 3
    invariants.hold_in_the_end(world)


def test_changes_without_end_are_a_503_that_leaves_nothing_behind(world: World) -> None:
    """The answer is not an `internal` 500: the request may succeed later."""
    act = jobs.create_scheduled(world.fresh())
    meet, met = busy("events.PutTargets", 1_000)
    with world.wire.failing(asking=meet):
        answer = act()
    assert (answer.status, answer.envelope["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert 1 < len(met) < 10
    invariants.hold_in_the_end(world)
    assert world.rules() == {}


def test_a_rule_that_a_delete_removes_in_between_is_a_503(world: World) -> None:
    """The answer is not an `internal` 500, and a repeated request does not find the job."""
    act = jobs.update_to_a_schedule(world.fresh())
    job = {"id": world.jobs()[0].job_id}

    def delete(_: int, name: str) -> None:
        if name == "events.PutTargets":
            world.wire.asking = None
            world.wire.meanwhile(lambda: world.yard.call("DELETE", f"/jobs/{job['id']}"))

    with world.wire.failing(asking=delete):
        assert (act().status, act().status) == (503, 404)
    invariants.hold_in_the_end(world)


def test_retries_of_a_concurrent_change_end_with_the_requests_deadline(world: World) -> None:
    """The delete answers within a few seconds and leaves the rule to the sweep."""
    act = jobs.delete(world.fresh())

    def slow(_: int, name: str) -> Any:
        if name.startswith("events."):
            world.time.sleep(1.9)
            return error(name) if name == "events.DeleteRule" else None
        return None

    before = world.time.elapsed
    with world.wire.failing(asking=slow):
        assert act().status == 200
    assert world.time.elapsed - before < 10
    invariants.hold_in_the_end(world)


@pytest.mark.parametrize(
    ("prepare", "call"),
    [
        (audits.audit_rules, "events.PutRule"),
        (audits.audit_leftovers, "events.DeleteRule"),
    ],
)
def test_the_audit_does_not_report_a_concurrent_change_as_a_defect(
    world: World,
    prepare: Callable[[World], Callable[[], Any]],
    call: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The next turn does what this one could not, so the audit logs a warning and no error."""
    act = prepare(world.fresh())
    capsys.readouterr()
    meet, met = busy(call, 1_000)
    with world.wire.failing(asking=meet):
        act()
    assert met
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line["level"] == "error"] == []
    invariants.hold_in_the_end(world)
