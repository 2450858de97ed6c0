"""
Evaluates the policies of `.chalice/` for a stage as IAM would.

It knows only what those policies use: Allow statements with Action, Resource and the condition
operators StringEquals and ArnEquals. Anything else raises an error, so that nothing is misjudged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra import package
from infra.deploy import FUNCTIONS
from infra.local import REGION, template
from infra.local.provision import ACCOUNT
from tests.deploy.permissions.calls import ANY, Needed
from tests.reliability.world import BUS

Statement = dict[str, Any]
Policies = Mapping[str, list[Statement]]
"""The statements of each function."""

STAGE = "recorded-stage"
"""The stage has every option switched on; its name occurs nowhere else."""
DEFAULT_ROLE = f"arn:aws:iam::{ACCOUNT}:role/default-task-role"

_ARN_OF = {
    "AWS::DynamoDB::Table": ("TableName", "dynamodb:{region}:{account}:table/{name}"),
    "AWS::ECS::Cluster": ("ClusterName", "ecs:{region}:{account}:cluster/{name}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "logs:{region}:{account}:log-group:{name}:*"),
    "AWS::SQS::Queue": ("QueueName", "sqs:{region}:{account}:{name}"),
    "AWS::IAM::Role": ("RoleName", "iam::{account}:role/{name}"),
}
"""For each type: the property that holds a resource's name, and the form of its ARN."""


class NotUnderstood(Exception):
    """A policy has something that this module cannot evaluate."""


@dataclass(frozen=True, order=True)
class Grant:
    """One action on one resource that one statement allows."""

    function: str
    sid: str
    action: str
    resource: str
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """Operator, key, and values of which one must match; all conditions must hold."""

    def allows(self, function: str, needed: Needed) -> bool:
        context = dict(needed.context)
        return (
            function == self.function
            and needed.action.lower() == self.action.lower()
            and _matches_arn(self.resource, needed.arn)
            and all(
                key in context and any(_OPERATORS[operator](v, context[key]) for v in values)
                for operator, key, values in self.conditions
            )
        )


def read() -> dict[str, list[Statement]]:
    """The statements of every function's policy file, as they are written."""
    return {name: json.loads(path(name).read_text())["Statement"] for name in FUNCTIONS}


def path(function: str) -> Path:
    return package.ROOT / ".chalice" / f"policy-{function}.json"


def grants(policies: Policies, names: Mapping[str, str] | None = None) -> list[Grant]:
    """Every single permission that the policies grant, with names resolved for STAGE."""
    resolved = stage_names() if names is None else names
    return [
        grant
        for function, statements in policies.items()
        for statement in statements
        for grant in _grants(function, statement, resolved)
    ]


def _grants(function: str, statement: Statement, names: Mapping[str, str]) -> Iterator[Grant]:
    known = {"Sid", "Effect", "Action", "Resource", "Condition"}
    if statement["Effect"] != "Allow" or not known.issuperset(statement):
        raise NotUnderstood(f"{function}: {statement}")
    conditions = []
    for operator, tests in statement.get("Condition", {}).items():
        if operator not in _OPERATORS:
            raise NotUnderstood(f"{function}, {statement['Sid']}: {operator}")
        for key, values in tests.items():
            conditions.append((operator, key, tuple(_resolved(values, names))))
    for action in as_list(statement["Action"]):
        for resource in _resolved(statement["Resource"], names):
            sid = statement["Sid"]
            yield Grant(function, sid, action, resource, tuple(conditions))


def as_list(found: Any) -> list[Any]:
    return list(found) if isinstance(found, list) else [found]


def _resolved(values: Any, names: Mapping[str, str]) -> list[str]:
    found = (_resolve(value, names) for value in as_list(values))
    return [text for text in found if text is not None]


def _resolve(value: Any, names: Mapping[str, str]) -> str | None:
    """The text of a value for the stage; None for AWS::NoValue, which stands for nothing."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Ref":
        return None if argument == "AWS::NoValue" else names[argument]
    if function == "Fn::GetAtt":
        return names[".".join(argument)]
    if function == "Fn::Sub" and isinstance(argument, str):
        return re.sub(r"\$\{([^}]+)\}", lambda match: names[match[1]], argument)
    if function == "Fn::If":
        condition, then, otherwise = argument
        return _resolve(then if names[condition] else otherwise, names)
    raise NotUnderstood(f"{value}")


@cache
def stage_names(stage: str = STAGE) -> Mapping[str, str]:
    """What Ref, Fn::Sub, Fn::GetAtt and Fn::If may name, for a stage with every option on."""
    names = {
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "Stage": stage,
        "EventBus": BUS,
        "DefaultTaskRoleArn": DEFAULT_ROLE,
        "HasDefaultTaskRole": "true",
    }
    for type_, (named_by, form) in _ARN_OF.items():
        for logical_id, properties in template.resources(type_).items():
            if named_by in properties:
                name = _resolve(properties[named_by], names)
                arn = form.format(region=REGION, account=ACCOUNT, name=name)
                names[f"{logical_id}.Arn"] = f"arn:aws:{arn}"
    return names


Calls = Iterable[tuple[str, Needed]]
"""Pairs of a function and a permission that it needs."""


def denied(calls: Calls, granted: Iterable[Grant]) -> set[tuple[str, Needed]]:
    """The calls that no grant allows."""
    return {call for call, allowing in _allowing(calls, list(granted)) if not allowing}


def superfluous(calls: Calls, granted: Iterable[Grant]) -> list[Grant]:
    """
    The grants that are not needed: without one of them every call would still be allowed.

    If two statements grant the same, both grants are superfluous.
    """
    every = list(granted)
    alone = {allowing[0] for _, allowing in _allowing(calls, every) if len(allowing) == 1}
    return [grant for number, grant in enumerate(every) if number not in alone]


def _allowing(calls: Calls, granted: list[Grant]) -> Iterator[tuple[tuple[str, Needed], list[int]]]:
    """Each call with the numbers of the grants that allow it."""
    by_action: dict[str, list[int]] = {}
    for number, grant in enumerate(granted):
        by_action.setdefault(grant.action.lower(), []).append(number)
    for function, needed in calls:
        candidates = by_action.get(needed.action.lower(), ())
        allowing = [n for n in candidates if granted[n].allows(function, needed)]
        yield (function, needed), allowing


# --- matching ---------------------------------------------------------------------------------


def _matches_arn(pattern: str, resource: str) -> bool:
    """
    Match segment by segment: a wildcard does not cross the first five colons.

    "IAM JSON policy elements: Resource", IAM user guide. The pattern `*` matches every resource.
    """
    if pattern == ANY:
        return True
    wanted, found = pattern.split(":", 5), resource.split(":", 5)
    return len(wanted) == len(found) and all(map(_matches, wanted, found))


def _matches(pattern: str, text: str) -> bool:
    """`*` matches any number of characters, `?` matches one; upper and lower case differ."""
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (
        {"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern)
    )
    return re.compile("".join(parts), re.DOTALL)


_OPERATORS = {
    "StringEquals": lambda wanted, found: wanted == found,
    # "ArnEquals and ArnLike behave identically": "IAM JSON policy elements: Condition operators"
    "ArnEquals": _matches_arn,
}
