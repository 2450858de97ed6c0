"""
The policies allow each function exactly the calls that it makes.

Every operation of the reliability tests and every route is run while each function's AWS calls are
recorded. The function's policy in `.chalice/` must allow each call, as IAM judges it, and some call
must need each permission of a policy. So one action more or less in any of the files fails here.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import app
from infra import permissions
from infra.deploy import FUNCTIONS
from tests.deploy.permissions import manifest, policies
from tests.deploy.permissions.calls import ANY, Needed
from tests.deploy.permissions.conftest import Recording, read, record
from tests.deploy.permissions.policies import STAGE, Grant, Statement, as_list

OUTSIDE = {
    "ecs.RunTask": "a preparation starts a task that no run knows",
    "logs.CreateLogStream": "a preparation writes output, as ECS does by the execution role",
    "logs.PutLogEvents": "a preparation writes output, as ECS does by the execution role",
}
"""Calls that none of the functions made."""


def test_every_recorded_call_is_allowed(recording: Recording) -> None:
    """
    The policy of the function that makes the call must allow it; a failure says what IAM checked.
    """
    denied = policies.denied(recording.needed, policies.grants(policies.read()))
    assert [c.words for c in recording.calls if (c.function, c.needed) in denied] == []


def test_every_permission_is_needed_by_some_recorded_call(recording: Recording) -> None:
    """A policy grants nothing that no call needs, or that another statement grants too."""
    assert policies.superfluous(recording.needed, policies.grants(policies.read())) == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_taking_any_permission_away_denies_a_call(recording: Recording, function: str) -> None:
    """Each action of each statement is removed in turn, and each resource if there are several."""
    calls = _of(function, recording)
    unnoticed = []
    for what, statements in _with_less(policies.read()[function]):
        if not policies.denied(calls, policies.grants({function: statements})):
            unnoticed.append(what)
    assert unnoticed == []


def _of(function: str, recording: Recording) -> list[tuple[str, Needed]]:
    return [call for call in recording.needed if call[0] == function]


def _with_less(statements: list[Statement]) -> Iterator[tuple[str, list[Statement]]]:
    """The statements with one action or resource left out, each in turn."""
    for number, statement in enumerate(statements):
        for part in ("Action", "Resource"):
            parts = as_list(statement[part])
            if part == "Resource" and len(parts) == 1:
                continue
            for index, left_out in enumerate(parts):
                less = copy.deepcopy(statements)
                less[number][part] = parts[:index] + parts[index + 1 :]
                yield f"{statement['Sid']} without {left_out}", less


@pytest.mark.parametrize("function", FUNCTIONS)
def test_adding_any_permission_is_noticed(recording: Recording, function: str) -> None:
    """
    To each statement, each action is added that it lacks and any function needs, and a foreign one.
    """
    calls = _of(function, recording)
    actions = sorted({needed.action for _, needed in recording.needed})
    statements = policies.read()[function]
    unnoticed = []
    for number, statement in enumerate(statements):
        for action in [*actions, "iam:CreateUser"]:
            if action in as_list(statement["Action"]):
                continue
            more = copy.deepcopy(statements)
            more[number]["Action"] = [*as_list(statement["Action"]), action]
            if not policies.superfluous(calls, policies.grants({function: more})):
                unnoticed.append(f"{statement['Sid']} with {action}")
    assert unnoticed == []


def test_no_call_is_allowed_on_another_stage(recording: Recording) -> None:
    """The same calls are denied on the resources of a stage whose name begins with this stage's."""
    other = f"{STAGE}-2"
    elsewhere = [
        (
            function,
            replace(
                needed,
                arn=needed.arn.replace(STAGE, other),
                context=tuple((k, v.replace(STAGE, other)) for k, v in needed.context),
            ),
        )
        for function, needed in recording.needed
    ]
    changed = set(elsewhere) - set(recording.needed)
    assert policies.denied(changed, policies.grants(policies.read())) == changed
    same = set(elsewhere) & set(recording.needed)
    # These have no stage in their ARN: the operator's own role and bus; `*` cannot be narrowed.
    assert {needed.action for _, needed in same if needed.arn != ANY} == {
        "iam:PassRole",
        "events:PutEvents",
    }


def test_the_recording_covers_every_route_and_each_call_has_a_function(
    recording: Recording,
) -> None:
    """Otherwise a call would be missing, or recorded under no function."""
    assert recording.routes == set(app.app.endpoints)
    assert recording.outside == set(OUTSIDE)
    assert {function for function, _ in recording.needed} == set(FUNCTIONS)


def test_the_manifest_of_calls_is_what_was_recorded(recording: Recording) -> None:
    """`make permissions` writes the file again."""
    made = manifest.as_text(manifest.manifest(recording.needed))
    assert permissions.MANIFEST.read_text() == made


@pytest.mark.skipif(
    os.environ.get("JOBYARD_PERMISSIONS") != "all",
    reason="minutes of work: JOBYARD_PERMISSIONS=all runs it",
)
def test_an_operation_that_fails_midway_needs_no_other_permission(
    recording: Recording, tmp_path: Path
) -> None:
    """The process dies at any call, or another one acts in between: no other call is made."""
    path = tmp_path / "with-failures.json"
    record(path, "--failures")
    assert set(read(path).needed) - set(recording.needed) == set()


def test_a_denial_names_function_operation_action_and_resource(recording: Recording) -> None:
    """Whoever corrects the policy needs all of these."""
    calls = [call for call in recording.calls if call.needed.action == "ecs:RunTask"]
    words = next(
        call.words
        for call in calls
        if call.function == "fire" and "ecs:capacity-provider" not in dict(call.needed.context)
    )
    arn = "arn:aws:ecs:eu-central-1:123456789012"
    assert words.startswith("fire (") and words.endswith(
        f"): ecs:RunTask on {arn}:task-definition/jobyard-{STAGE}-job_{'0' * 26}:1, "
        f"ecs:cluster={arn}:cluster/jobyard-{STAGE}"
    )


def test_a_permission_that_is_granted_twice_is_an_error() -> None:
    """Otherwise either of the two could be removed and no test would fail."""
    once = Grant("fire", "A", "sqs:SendMessage", "*")
    calls = [("fire", Needed("sqs:SendMessage", "arn:aws:sqs:eu-central-1:123456789012:q"))]
    twice = [once, replace(once, sid="B")]
    assert policies.superfluous(calls, [once]) == []
    assert policies.superfluous(calls, twice) == twice
