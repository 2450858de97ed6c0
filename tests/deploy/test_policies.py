"""
Least privilege in the packaged template: no role is allowed more than its kind of work.

tests/deploy/permissions tests action by action that each function is allowed all that it calls and
nothing else, from the policy files that are packaged here.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from importlib import resources as files
from typing import Any

import pytest

from infra.deploy import FUNCTIONS
from tests.deploy.permissions import policies

Statement = dict[str, Any]

FUNCTION_ROLES = (
    "ApiHandlerRole",
    "TaskChangedRole",
    "FireRole",
    "SweepRole",
    "SweepPartRole",
    "AuditRole",
    "JobResourceRole",
)
ROLES = (*FUNCTION_ROLES, "ExecutionRole", "NotifyRole")

SERVICES_OF_AWS: dict[str, Any] = json.loads(
    (files.files("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json").read_text()
)
"""AWS's Service Authorization Reference, as cfn-lint ships it."""

CANNOT_BE_NARROWED = {
    # It reads any metric of the account; the "dataset" that AWS lists belongs to other APIs.
    "cloudwatch:GetMetricData",
    # AWS narrows it only by container instances of the cluster, of which Fargate has none; a
    # condition binds the statement to the cluster.
    "ecs:ListTasks",
}


def statements(template: dict[str, Any], role: str) -> list[Statement]:
    properties = template["Resources"][role]["Properties"]
    return [
        statement
        for policy in properties["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def actions(statement: Statement) -> list[str]:
    found = statement["Action"]
    return [found] if isinstance(found, str) else list(found)


def targets(statement: Statement) -> list[Any]:
    found = statement["Resource"]
    return found if isinstance(found, list) else [found]


def arns(resource: Any) -> Iterator[str]:
    """The ARNs of a Resource as text, a GetAtt as `${Resource.Arn}`."""
    if isinstance(resource, str):
        yield resource
    elif "Fn::Sub" in resource:
        yield resource["Fn::Sub"]
    elif "Fn::GetAtt" in resource:
        yield f"${{{'.'.join(resource['Fn::GetAtt'])}}}"
    elif "Ref" in resource:
        yield f"${{{resource['Ref']}}}"
    elif "Fn::If" in resource:
        for branch in resource["Fn::If"][1:]:
            yield from arns(branch)
    else:
        raise AssertionError(resource)


def kinds(action: str) -> list[str]:
    """The kinds of resource to which AWS lets a policy narrow an action."""
    service, name = action.split(":")
    return list(SERVICES_OF_AWS[service]["Actions"][name.lower()].get("Resources", []))


def test_every_function_has_a_role_of_its_own_and_nothing_attached(
    template: dict[str, Any],
) -> None:
    """A function may not do what only another one needs."""
    roles = {
        name: resource["Properties"]["Role"]["Fn::GetAtt"][0]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert sorted(roles.values()) == sorted(FUNCTION_ROLES)
    found = {n for n, r in template["Resources"].items() if r["Type"] == "AWS::IAM::Role"}
    assert found == set(ROLES)
    for role in ROLES:
        assert "ManagedPolicyArns" not in template["Resources"][role]["Properties"]


@pytest.mark.parametrize(("role", "function"), [*zip(FUNCTION_ROLES, FUNCTIONS, strict=True)])
def test_a_functions_role_has_its_policy_file_and_nothing_else(
    template: dict[str, Any], role: str, function: str
) -> None:
    """The tests of permissions judge the file, so it must be what is deployed."""
    assert statements(template, role) == policies.read()[function]
    functions = template["Resources"].values()
    (name,) = (
        resource["Properties"]["FunctionName"]
        for resource in functions
        if resource["Properties"].get("Role") == {"Fn::GetAtt": [role, "Arn"]}
        and "FunctionName" in resource["Properties"]
    )
    assert name == {"Fn::Sub": f"jobyard-${{Stage}}-{function}"}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_fits_into_what_iam_holds(template: dict[str, Any], role: str) -> None:
    """
    IAM allows 10,240 characters for all inline policies of a role; the longest names are filled in.
    """
    text = json.dumps(statements(template, role), separators=(",", ":"))
    text = text.replace("${AWS::Region}", "ap-southeast-2").replace("${Stage}", "x" * 20)
    assert len(text.replace("${AWS::AccountId}", "123456789012")) < 9_000


@pytest.mark.parametrize("role", ROLES)
def test_no_policy_has_a_wildcard_in_an_action(template: dict[str, Any], role: str) -> None:
    """With a wildcard, an action that AWS adds later would be allowed at once."""
    granted = [action for s in statements(template, role) for action in actions(s)]
    assert [action for action in granted if "*" in action] == []


@pytest.mark.parametrize("role", ROLES)
def test_resource_star_is_used_only_where_aws_has_no_narrower_resource(
    template: dict[str, Any], role: str
) -> None:
    """AWS's own table lists the resources that each action takes."""
    for statement in statements(template, role):
        if "*" in targets(statement):
            wide = {action for action in actions(statement) if kinds(action)}
            assert wide <= CANNOT_BE_NARROWED, statement["Sid"]
            if "ecs:ListTasks" in wide:
                assert statement["Condition"]["ArnEquals"]["ecs:cluster"]


@pytest.mark.parametrize("role", ROLES)
def test_each_statements_actions_apply_to_its_resources(
    template: dict[str, Any], role: str
) -> None:
    """An action beside an ARN that it does not take grants nothing, and looks as if it did."""
    for statement in statements(template, role):
        for action in actions(statement):
            for resource in targets(statement):
                for arn in arns(resource):
                    assert _applies(action, arn), (statement["Sid"], action, arn)


def _applies(action: str, arn: str) -> bool:
    if arn == "*":
        return True
    service = action.split(":")[0]
    known = {
        "${JobsTable.Arn}": ("dynamodb", "table"),
        "${RunsTable.Arn}": ("dynamodb", "table"),
        "${TokensTable.Arn}": ("dynamodb", "table"),
        "${Logs.Arn}": ("logs", "log-stream"),
        "${FailedEvents.Arn}": ("sqs", "queue"),
        "${NotifyDestination.Arn}": ("events", "api-destination"),
        "${ExecutionRole.Arn}": ("iam", "role"),
        "${DefaultTaskRoleArn}": ("iam", "role"),
        "${AWS::NoValue}": ("iam", "role"),
    }
    if arn in known:
        return known[arn][0] == service and known[arn][1] in kinds(action)
    if re.fullmatch(r"\$\{\w+Table\.Arn\}/index/\w+", arn):
        return service == "dynamodb" and "index" in kinds(action)
    forms = {k.lower(): v["ARNFormats"] for k, v in SERVICES_OF_AWS[service]["Resources"].items()}
    plain = arn.replace("${AWS::Partition}", "aws").replace("${AWS::Region}", "eu-central-1")
    plain = re.sub(r"\$\{\w+\}", "x", plain.replace("${AWS::AccountId}", "123456789012"))
    taken = [form for kind in kinds(action) for form in forms[kind.lower()]]
    return any(re.match(re.sub(r"\$\{\w+\}", "[^:]*", form), plain) for form in taken)


def test_roles_are_passed_only_from_the_stages_path_and_only_to_tasks(
    template: dict[str, Any],
) -> None:
    """Otherwise a job could run with any role of the account that ECS may assume."""
    passed = {
        arn
        for role in FUNCTION_ROLES
        for statement in statements(template, role)
        if "iam:PassRole" in actions(statement)
        for resource in targets(statement)
        for arn in arns(resource)
    }
    assert passed == {
        "${ExecutionRole.Arn}",
        "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/jobyard/${Stage}/*",
        "${DefaultTaskRoleArn}",
        "${AWS::NoValue}",
    }
    for role in FUNCTION_ROLES:
        for statement in statements(template, role):
            if "iam:PassRole" in actions(statement):
                to = statement["Condition"]["StringEquals"]["iam:PassedToService"]
                assert (actions(statement), to) == (["iam:PassRole"], "ecs-tasks.amazonaws.com")


@pytest.mark.parametrize("role", ROLES)
def test_no_policy_covers_a_stage_whose_name_has_the_same_beginning(
    template: dict[str, Any], role: str
) -> None:
    """The names of `dev` and `dev-2` begin alike, and both may be in one account."""
    others = [
        "rule/jobyard-dev-2-job_1-0",
        "task-definition/jobyard-dev-2-job_1:1",
        "task/jobyard-dev-2/1",
        "log-group:/jobyard/dev-2/job_1",
        "role/jobyard/dev-2/acme/x",
        "secret:jobyard/dev-2/acme/x",
        "parameter/jobyard/dev-2/acme/x",
    ]
    for statement in statements(template, role):
        for resource in targets(statement):
            for arn in arns(resource):
                mine = arn.replace("${Stage}", "dev").split(":", 5)[-1]
                reached = [name for name in others if fnmatch.fnmatchcase(name, mine)]
                assert reached == [] or arn == "*", (statement["Sid"], arn)


def test_the_role_of_containers_has_no_permission_on_tables(template: dict[str, Any]) -> None:
    """ECS uses this role to pull images, write logs and fetch secrets, and for nothing else."""
    granted = {a for s in statements(template, "ExecutionRole") for a in actions(s)}
    assert {action.split(":")[0] for action in granted} == {"ecr", "logs", "secretsmanager", "ssm"}


def test_only_the_api_reads_tokens(template: dict[str, Any]) -> None:
    """The other functions act for no caller."""
    readers = {
        role
        for role in FUNCTION_ROLES
        for statement in statements(template, role)
        if "TokensTable" in json.dumps(statement["Resource"])
    }
    assert readers == {"ApiHandlerRole"}


@pytest.mark.parametrize("role", FUNCTION_ROLES)
def test_no_function_may_scan_a_table(template: dict[str, Any], role: str) -> None:
    """A scan costs as much as the table stores, not as much as is asked for."""
    granted = {action for s in statements(template, role) for action in actions(s)}
    assert "dynamodb:Scan" not in granted
