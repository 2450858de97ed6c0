"""
IAM's policy simulator, which moto lacks: SimulatePrincipalPolicy for the roles in moto.

It judges inline policies, a permissions boundary and service control policies as they are stored.
botocore's own model checks its answers, and moto serialises them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse

from infra.local.provision import ACCOUNT
from tests.deploy.permissions import policies
from tests.deploy.permissions.calls import Needed
from tests.deploy.permissions.policies import Statement

SHAPE = botocore.session.get_session().get_service_model("iam").shape_for("SimulatePolicyResponse")
IMPLICIT, EXPLICIT, ALLOWED = "implicitDeny", "explicitDeny", "allowed"


class Denied(ServiceException):
    code = "AccessDenied"
    message = "not authorized to perform: iam:SimulatePrincipalPolicy"


class Simulator:
    """Answers from the roles and policies in moto's IAM, and from what a test sets here."""

    def __init__(self) -> None:
        self.service_control: list[Statement] | None = None
        """The policies of the account's organisation; None: the account belongs to none."""
        self.may_be_asked = True
        self.missing: list[str] = []
        """Condition keys that a policy asks for and that the caller has not given."""
        self.asked = 0

    def simulate(self, handler: IamResponse) -> ActionResult:
        if not self.may_be_asked:
            raise Denied
        self.asked += 1
        params = handler.params
        (resource,) = params["ResourceArns"]
        context = {e["ContextKeyName"]: e["ContextKeyValues"] for e in params["ContextEntries"]}
        assert all(len(values) == 1 for values in context.values())
        keys = tuple(sorted((key, values[0]) for key, values in context.items()))
        role = params["PolicySourceArn"]
        results = [
            self._result(role, Needed(action, resource, keys)) for action in params["ActionNames"]
        ]
        answer = {"EvaluationResults": results, "IsTruncated": False}
        validate_parameters(answer, SHAPE)
        return ActionResult(answer)

    def _result(self, role_arn: str, needed: Needed) -> dict[str, Any]:
        backend = iam_backends[ACCOUNT]["aws"]
        role = next((role for role in backend.roles.values() if role.arn == role_arn), None)
        if role is None:
            raise NotFoundException(f"Role {role_arn} does not exist")
        decision, matched = _decide(role.policies, needed)
        result: dict[str, Any] = {"EvalActionName": needed.action}
        specific: dict[str, Any] = {"EvalResourceName": needed.arn}
        if role.permissions_boundary_arn:
            boundary = backend.managed_policies[role.permissions_boundary_arn]
            document = next(v.document for v in boundary.versions if v.is_default)
            within = _allows(document, needed)
            specific["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": within}
            decision = decision if within else IMPLICIT
        if self.service_control is not None:
            permitted = _allows(json.dumps({"Statement": self.service_control}), needed)
            result["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": permitted}
            decision = decision if permitted else IMPLICIT
        specific["EvalResourceDecision"] = result["EvalDecision"] = decision
        specific["MatchedStatements"] = [{"SourcePolicyId": name} for name in matched]
        specific["MissingContextValues"] = self.missing
        if needed.arn == "*":  # then the top level has the whole answer
            del specific["EvalResourceDecision"]
            return {**specific, **result}
        return {**result, "EvalResourceName": "arn:...", "ResourceSpecificResults": [specific]}


def _decide(documents: dict[str, str], needed: Needed) -> tuple[str, list[str]]:
    """The decision of the role's own policies, and the policies that decide."""
    denying = [name for name, text in documents.items() if _matches(text, "Deny", needed)]
    if denying:
        return EXPLICIT, denying
    allowing = [name for name, text in documents.items() if _matches(text, "Allow", needed)]
    return (ALLOWED, allowing) if allowing else (IMPLICIT, [])


def _allows(document: str, needed: Needed) -> bool:
    return _matches(document, "Allow", needed) and not _matches(document, "Deny", needed)


def _matches(document: str, effect: str, needed: Needed) -> bool:
    """Whether a statement with this effect applies to the call."""
    statements = [
        {"Sid": "", **statement, "Effect": "Allow"}
        for statement in json.loads(document)["Statement"]
        if statement["Effect"] == effect
    ]
    return not policies.denied([("", needed)], policies.grants({"": statements}, {}))


@contextmanager
def simulating() -> Iterator[Simulator]:
    """Let moto's IAM answer SimulatePrincipalPolicy inside."""
    simulator = Simulator()

    def simulate_principal_policy(handler: IamResponse) -> ActionResult:
        return simulator.simulate(handler)

    with pytest.MonkeyPatch.context() as patch:
        name = "simulate_principal_policy"
        patch.setattr(IamResponse, name, simulate_principal_policy, raising=False)
        yield simulator
