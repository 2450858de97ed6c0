"""The evaluator of policies allows and denies what IAM would, and refuses what it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.permissions import policies
from tests.deploy.permissions.calls import Needed
from tests.deploy.permissions.policies import NotUnderstood

NAMES = {"Stage": "dev", "AWS::Region": "eu-central-1", "Jobs.Arn": "arn:jobs", "On": "", "R": "r"}


def allows(needed: Needed, **statement: Any) -> bool:
    """Whether one statement allows the function `f` the call."""
    full = {"Sid": "S", "Effect": "Allow", **statement}
    return not policies.denied([("f", needed)], policies.grants({"f": [full]}, NAMES))


@pytest.mark.parametrize(
    ("pattern", "arn", "matches"),
    [
        ("*", "*", True),
        ("*", "arn:aws:sqs:r:1:q", True),
        ("arn:aws:sqs:r:1:q", "arn:aws:sqs:r:1:q", True),
        ("arn:aws:sqs:r:1:q", "*", False),
        ("arn:aws:sqs:r:1:q", "arn:aws:sqs:r:1:q2", False),
        ("arn:aws:sqs:r:1:q", "arn:aws:sqs:r:1:Q", False),
        ("arn:aws:events:r:1:rule/a-job_*", "arn:aws:events:r:1:rule/a-job_1-0", True),
        ("arn:aws:events:r:1:rule/a-job_*", "arn:aws:events:r:1:rule/a-2-job_1-0", False),
        ("arn:aws:logs:r:1:log-group:/a/job_*", "arn:aws:logs:r:1:log-group:/a/job_1:x:y", True),
        ("arn:aws:logs:r:1:log-group:g:*", "arn:aws:logs:r:1:log-group:g", False),
        ("arn:aws:dynamodb:r:1:table/t", "arn:aws:dynamodb:r:1:table/t/index/i", False),
        ("arn:aws:*:r", "arn:aws:sqs:r:1:q", False),
        ("arn:aws:s*:1:q", "arn:aws:sqs:r:1:q", False),
        ("arn:aws:sq?:r:1:q", "arn:aws:sqs:r:1:q", True),
        ("arn:aws:sqs:r:1:q[1]", "arn:aws:sqs:r:1:q1", False),
    ],
)
def test_resource_patterns_match_as_iam_matches_arns(pattern: str, arn: str, matches: bool) -> None:
    """Wildcards stay within a segment, brackets mean nothing, and upper and lower case differ."""
    assert allows(Needed("sqs:A", arn), Action="sqs:A", Resource=pattern) is matches


def test_actions_match_as_a_whole_and_ignore_case() -> None:
    """IAM ignores the case of actions."""
    assert allows(Needed("ecs:runtask", "*"), Action=["ecs:StopTask", "ecs:RunTask"], Resource="*")
    assert not allows(Needed("ecs:RunTask", "*"), Action="ecs:Run", Resource="*")


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "holds"),
    [
        ("StringEquals", "RunTask", "RunTask", True),
        ("StringEquals", ["StartTask", "RunTask"], "RunTask", True),
        ("StringEquals", "Run*", "RunTask", False),
        ("StringEquals", "RunTask", None, False),
        ("ArnEquals", "arn:aws:ecs:r:1:cluster/a", "arn:aws:ecs:r:1:cluster/a", True),
        ("ArnEquals", "arn:aws:ecs:r:1:cluster/*", "arn:aws:ecs:r:1:cluster/a", True),
        ("ArnEquals", "arn:aws:ecs:r:1:cluster/a", "arn:aws:ecs:r:1:cluster/b", False),
    ],
)
def test_each_condition_operator_compares_as_iam_does(
    operator: str, wanted: Any, found: str | None, holds: bool
) -> None:
    """One of the values must match; a key that the call does not have matches none of them."""
    context = () if found is None else (("k", found),)
    condition = {operator: {"k": wanted}}
    needed = Needed("a:A", "*", context)
    assert allows(needed, Action="a:A", Resource="*", Condition=condition) is holds


def test_all_conditions_must_hold() -> None:
    """All keys of all operators must match."""
    condition = {"StringEquals": {"a": "1", "b": "2"}}
    some = Needed("a:A", "*", (("a", "1"),))
    both = Needed("a:A", "*", (("a", "1"), ("b", "2")))
    assert not allows(some, Action="a:A", Resource="*", Condition=condition)
    assert allows(both, Action="a:A", Resource="*", Condition=condition)


def test_a_function_has_only_its_own_policy() -> None:
    """A policy of one function allows nothing to another."""
    granted = policies.grants(
        {"f": [{"Sid": "S", "Effect": "Allow", "Action": "a:A", "Resource": "*"}]}, NAMES
    )
    assert policies.denied([("g", Needed("a:A", "*"))], granted)


@pytest.mark.parametrize(
    ("written", "arns"),
    [
        ({"Fn::GetAtt": ["Jobs", "Arn"]}, ["arn:jobs"]),
        ({"Fn::Sub": "${Jobs.Arn}/${Stage}/${AWS::Region}"}, ["arn:jobs/dev/eu-central-1"]),
        ([{"Ref": "R"}, {"Fn::If": ["On", {"Ref": "R"}, {"Ref": "AWS::NoValue"}]}], ["r"]),
    ],
)
def test_intrinsics_are_resolved_for_the_stage(written: Any, arns: list[str]) -> None:
    """A value that CloudFormation leaves out (AWS::NoValue) names no resource."""
    statement = {"Sid": "S", "Effect": "Allow", "Action": "a:A", "Resource": written}
    assert [g.resource for g in policies.grants({"f": [statement]}, NAMES)] == arns


@pytest.mark.parametrize(
    "odd",
    [
        {"Effect": "Deny"},
        {"NotAction": "a:B"},
        {"Condition": {"StringNotEquals": {"k": "v"}}},
        {"Resource": {"Fn::Join": ["", ["a", "b"]]}},
    ],
)
def test_a_statement_that_the_evaluator_does_not_know_is_an_error(odd: dict[str, Any]) -> None:
    """A statement that is skipped silently would count as allowed or as denied."""
    with pytest.raises(NotUnderstood):
        allows(Needed("a:A", "*"), **{"Action": "a:A", "Resource": "*", **odd})
