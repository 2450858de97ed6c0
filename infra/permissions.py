"""
What a deployed stage's functions may do, as IAM judges it: what would be denied, and by what.

infra/permissions.json is the manifest of calls: the permissions that each function needs, as the
tests recorded them (`make permissions`). IAM's SimulatePrincipalPolicy judges each for the role
that the function really has, with the permissions boundary and the organisation's service control
policies that hold for that role (IAM API reference, SimulatePrincipalPolicy). It makes none of
the calls.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from infra import deploy

MANIFEST = Path(__file__).with_name("permissions.json")
PATIENT = Config(retries={"mode": "adaptive", "total_max_attempts": 10})
"""A simulation takes about a hundred calls, and IAM throttles them."""
MAY_NOT_ASK = frozenset({"AccessDenied", "AccessDeniedException"})

Entry = Mapping[str, Any]
"""Of the manifest: actions, one resource, and the condition keys that they come with."""


def check(stage: str) -> Iterator[str]:
    """A sentence for each function, resource and cause for which something would be denied."""
    iam = boto3.client("iam", config=PATIENT)
    given = deploy.parameters_of(stage)
    for function, entries in json.loads(MANIFEST.read_text()).items():
        name = f"jobyard-{stage}-{function}"
        role = _role_of(name)
        if role is None:
            continue  # doctor says elsewhere that the function is missing
        names = {**given, **_where(role), "Stage": stage}
        try:
            yield from _denials(iam, name, role, entries, names)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in MAY_NOT_ASK:
                yield (
                    "You may not call iam:SimulatePrincipalPolicy, so nobody has checked what the "
                    "functions may do; get that permission, or let somebody who has it run doctor."
                )
                return
            reason = error.response["Error"].get("Message", "")
            yield f"IAM did not judge what {name} may do ({code}: {reason}); run doctor again."


def _role_of(name: str) -> str | None:
    functions = boto3.client("lambda")
    try:
        return str(functions.get_function_configuration(FunctionName=name)["Role"])
    except functions.exceptions.ResourceNotFoundException:
        return None


def _where(role: str) -> dict[str, str]:
    _, partition, _, _, account, _ = role.split(":", 5)
    region = boto3.session.Session().region_name
    return {"Partition": partition, "AccountId": account, "Region": str(region)}


def _denials(
    iam: Any, name: str, role: str, entries: Iterable[Entry], names: Mapping[str, str]
) -> Iterator[str]:
    # A set: a launch on Spot and one on demand may be denied for the same reason.
    denied: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in entries:
        resource = _filled(entry["resource"], names)
        if resource is None:
            continue  # of an option that this stage does not use
        context = {key: _filled(value, names) for key, value in entry["context"].items()}
        for result in _simulated(iam, role, entry["actions"], resource, context, names):
            cause = _cause(result, str(names["Stage"]))
            if cause is not None:
                denied[resource, cause].add(result["EvalActionName"])
    for (resource, cause), actions in denied.items():
        yield f"{name} would be denied {', '.join(sorted(actions))} on {resource}: {cause}"


def _filled(text: str, names: Mapping[str, str]) -> str | None:
    """`text` with its placeholders filled in; None where one stands for a parameter left empty."""
    if any(not names.get(name) for name in re.findall(r"\$\{(\w+)\}", text)):
        return None
    return re.sub(r"\$\{(\w+)\}", lambda match: names[match[1]], text)


def _simulated(
    iam: Any,
    role: str,
    actions: list[str],
    resource: str,
    context: Mapping[str, str | None],
    names: Mapping[str, str],
) -> Iterator[dict[str, Any]]:
    """
    IAM's results, one an action: of one resource at a time, so that each result is about it.

    Every call has a region and is encrypted; a service control policy may ask about both.
    """
    keys = {**context, "aws:RequestedRegion": names["Region"]}
    sent = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in keys.items()
    ]
    secure = {"ContextKeyName": "aws:SecureTransport", "ContextKeyValues": ["true"]}
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=role,
        ActionNames=actions,
        ResourceArns=[resource],
        ContextEntries=[*sent, {**secure, "ContextKeyType": "boolean"}],
    )
    for page in pages:
        yield from page["EvaluationResults"]


def _cause(result: Mapping[str, Any], stage: str) -> str | None:
    """Why IAM would deny it, in the rest of a sentence; None: it would not."""
    specific: Mapping[str, Any] = next(iter(result.get("ResourceSpecificResults") or []), {})
    decision = specific.get("EvalResourceDecision", result["EvalDecision"])
    if decision == "allowed":
        return None
    organization = result.get("OrganizationsDecisionDetail", {})
    boundary = specific.get("PermissionsBoundaryDecisionDetail") or result.get(
        "PermissionsBoundaryDecisionDetail", {}
    )
    statements = specific.get("MatchedStatements") or result.get("MatchedStatements") or []
    causes = []
    if organization.get("AllowedByOrganizations") is False:
        causes.append("a service control policy of the organisation does not allow it")
    if boundary.get("AllowedByPermissionsBoundary") is False:
        causes.append("the permissions boundary of its role does not allow it")
    if decision == "explicitDeny" and not causes:
        policies = sorted({s["SourcePolicyId"] for s in statements if "SourcePolicyId" in s})
        causes.append(f"{', '.join(policies) or 'a policy'} has a Deny that says so")
    if not causes:
        causes.append(
            f"no policy of its role allows it; make deploy STAGE={stage} restores its policies"
        )
    missing = specific.get("MissingContextValues") or result.get("MissingContextValues") or []
    unsure = (
        f" (perhaps: a policy asks for {', '.join(sorted(missing))}, which doctor does not know)"
        if missing
        else ""
    )
    return f"{', and '.join(causes)}{unsure}."
