"""What doctor says about the permissions that the functions of a deployed stage have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from infra import doctor, permissions
from infra.deploy import FUNCTIONS
from infra.local.provision import ACCOUNT
from tests.deploy.permissions import policies
from tests.deploy.permissions.policies import DEFAULT_ROLE, Grant
from tests.deploy.simulator import Simulator, simulating
from tests.deploy.world import World
from tests.reliability.world import BUS

STAGE = "dev"
SWEEP = f"jobyard-{STAGE}-sweep"
TABLES = f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/jobyard-{STAGE}"
RESTORE = f"no policy of its role allows it; make deploy STAGE={STAGE} restores its policies."


@dataclass
class Deployed:
    """A stage whose functions have the packaged policies."""

    simulator: Simulator

    def allow(self, function: str, grants: list[Grant]) -> None:
        """Give the role of a function these permissions, and no others."""
        statements = [_statement(grant) for grant in grants]
        self.put(function, "packaged", *statements)

    def put(self, function: str, name: str, *statements: dict[str, Any]) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        boto3.client("iam").put_role_policy(
            RoleName=_role(function), PolicyName=name, PolicyDocument=document
        )

    def bound(self, function: str, *statements: dict[str, Any]) -> None:
        iam = boto3.client("iam")
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        policy = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]
        iam.put_role_permissions_boundary(
            RoleName=_role(function), PermissionsBoundary=policy["Arn"]
        )


def _role(function: str) -> str:
    return f"made-by-cloudformation-{function}"


def _statement(grant: Grant) -> dict[str, Any]:
    condition: dict[str, dict[str, list[str]]] = {}
    for operator, key, values in grant.conditions:
        condition.setdefault(operator, {})[key] = list(values)
    return {
        "Effect": "Allow",
        "Action": grant.action,
        "Resource": grant.resource,
        "Condition": condition,
    }


PACKAGED = policies.grants(policies.read(), policies.stage_names(STAGE))


def of(function: str) -> list[Grant]:
    return [grant for grant in PACKAGED if grant.function == function]


@pytest.fixture
def deployed(world: World) -> Iterator[Deployed]:
    """Functions and roles in moto, and a stack with every option switched on."""
    iam, functions = boto3.client("iam"), boto3.client("lambda")
    parameters = {"EventBus": BUS, "DefaultTaskRoleArn": DEFAULT_ROLE}
    _make_stack(parameters)
    with simulating() as simulator:
        made = Deployed(simulator)
        for function in FUNCTIONS:
            trust = json.dumps({"Version": "2012-10-17", "Statement": []})
            role = iam.create_role(RoleName=_role(function), AssumeRolePolicyDocument=trust)
            functions.create_function(
                FunctionName=f"jobyard-{STAGE}-{function}",
                Role=role["Role"]["Arn"],
                Code={"ZipFile": b"PK"},
            )
            made.allow(function, of(function))
        yield made


def _make_stack(parameters: dict[str, str]) -> None:
    template = {
        "Parameters": {name: {"Type": "String"} for name in parameters},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {}}},
    }
    boto3.client("cloudformation").create_stack(
        StackName=f"jobyard-{STAGE}",
        TemplateBody=json.dumps(template),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
    )


def test_a_stage_with_the_packaged_policies_lacks_nothing(deployed: Deployed) -> None:
    """Every entry of the manifest was judged with one call."""
    assert list(permissions.check(STAGE)) == []
    entries = json.loads(permissions.MANIFEST.read_text()).values()
    assert deployed.simulator.asked == sum(len(of_function) for of_function in entries)


def test_doctor_looks_at_the_permissions() -> None:
    assert permissions.check in doctor.CHECKS.values()


def test_a_missing_permission_is_reported_with_function_action_and_resource(
    deployed: Deployed,
) -> None:
    """This mistake once kept the sweep from its first turn."""
    lacking = [
        grant
        for grant in of("sweep")
        if (grant.action, grant.resource) != ("dynamodb:BatchGetItem", f"{TABLES}-jobs")
    ]
    deployed.allow("sweep", lacking)
    assert list(permissions.check(STAGE)) == [
        f"{SWEEP} would be denied dynamodb:BatchGetItem on {TABLES}-jobs: {RESTORE}"
    ]


def test_condition_keys_are_simulated_with_their_values(deployed: Deployed) -> None:
    """A statement whose condition names another cluster does not allow a launch in this one."""
    elsewhere = (("ArnEquals", "ecs:cluster", ("arn:aws:ecs:r:1:cluster/x",)),)
    changed = [
        Grant(g.function, g.sid, g.action, g.resource, elsewhere)
        if g.action in ("ecs:RunTask", "ecs:ListTasks")
        else g
        for g in of("sweep")
    ]
    deployed.allow("sweep", changed)
    found = list(permissions.check(STAGE))
    assert [text.split(" on ")[0] for text in found] == [
        f"{SWEEP} would be denied ecs:ListTasks",
        f"{SWEEP} would be denied ecs:RunTask",
    ]


def test_a_permissions_boundary_is_named(deployed: Deployed) -> None:
    """The role's own policies allow the call, which is not enough."""
    but_events = {"Effect": "Deny", "Action": "events:PutEvents", "Resource": "*"}
    allowed = sorted({grant.action for grant in of("fire")})
    everything_else = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
    deployed.bound("fire", everything_else, but_events)
    bus = f"arn:aws:events:eu-central-1:{ACCOUNT}:event-bus/{BUS}"
    assert list(permissions.check(STAGE)) == [
        f"jobyard-{STAGE}-fire would be denied events:PutEvents on {bus}: "
        "the permissions boundary of its role does not allow it."
    ]


def test_a_service_control_policy_is_named_for_every_function(deployed: Deployed) -> None:
    """Such a policy holds for the whole account."""
    actions = sorted({grant.action for grant in PACKAGED} - {"ecs:StopTask"})
    deployed.simulator.service_control = [
        {"Effect": "Allow", "Action": actions, "Resource": "*"},
    ]
    task = f"arn:aws:ecs:eu-central-1:{ACCOUNT}:task/jobyard-{STAGE}/{'0' * 32}"
    assert list(permissions.check(STAGE)) == [
        f"jobyard-{STAGE}-{function} would be denied ecs:StopTask on {task}: "
        "a service control policy of the organisation does not allow it."
        for function in FUNCTIONS
    ]


def test_a_service_control_policy_that_denies_spot_is_named(deployed: Deployed) -> None:
    """Launches on demand are allowed; doctor gives the simulation the capacity provider too."""
    provider = f"arn:aws:ecs:eu-central-1:{ACCOUNT}:capacity-provider/FARGATE_SPOT"
    on_spot = {"ArnEquals": {"ecs:capacity-provider": provider}}
    actions = sorted({grant.action for grant in PACKAGED})
    deployed.simulator.service_control = [
        {"Effect": "Allow", "Action": actions, "Resource": "*"},
        {"Effect": "Deny", "Action": "ecs:RunTask", "Resource": "*", "Condition": on_spot},
    ]
    found = [text.split(" on ")[0] for text in permissions.check(STAGE)]
    functions = ("api", "fire", "sweep", "sweep-part")
    assert sorted(found) == [
        f"jobyard-{STAGE}-{function} would be denied ecs:RunTask" for function in functions
    ]


def test_a_service_control_policy_may_have_a_condition_on_the_region(deployed: Deployed) -> None:
    """Doctor gives the simulation the region in which the functions run."""
    actions = sorted({grant.action for grant in PACKAGED})
    here = {"StringEquals": {"aws:RequestedRegion": "eu-central-1", "aws:SecureTransport": "true"}}
    deployed.simulator.service_control = [
        {"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": here}
    ]
    assert list(permissions.check(STAGE)) == []


def test_an_explicit_deny_is_reported_with_its_policy(deployed: Deployed) -> None:
    """Somebody attached the policy by hand, so another deployment would not remove it."""
    deny = {"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": "*"}
    deployed.put("fire", "by-hand", deny)
    queue = f"arn:aws:sqs:eu-central-1:{ACCOUNT}:jobyard-{STAGE}-failed-events"
    assert list(permissions.check(STAGE)) == [
        f"jobyard-{STAGE}-fire would be denied sqs:SendMessage on {queue}: "
        "by-hand has a Deny that says so."
    ]


def test_a_condition_key_that_doctor_does_not_know_is_reported(deployed: Deployed) -> None:
    """The real call may then be allowed although the simulation denies it."""
    deployed.allow("sweep", [g for g in of("sweep") if g.action != "ecs:ListTasks"])
    deployed.simulator.missing = ["aws:PrincipalTag/team"]
    (sentence,) = permissions.check(STAGE)
    assert sentence.endswith(
        "(perhaps: a policy asks for aws:PrincipalTag/team, which doctor does not know)."
    )


def test_options_that_a_stage_does_not_use_are_not_asked_about(deployed: Deployed) -> None:
    """Without an event bus and a default role, the policies have no such ARN."""
    boto3.client("cloudformation").delete_stack(StackName=f"jobyard-{STAGE}")
    _make_stack({"EventBus": "", "DefaultTaskRoleArn": ""})
    for function in FUNCTIONS:
        kept = [g for g in of(function) if g.resource != DEFAULT_ROLE and BUS not in g.resource]
        deployed.allow(function, kept)
    assert list(permissions.check(STAGE)) == []


def test_doctor_says_once_that_the_caller_may_not_simulate(deployed: Deployed) -> None:
    """Otherwise a check that could not run would look like a check without findings."""
    deployed.simulator.may_be_asked = False
    (sentence,) = permissions.check(STAGE)
    assert sentence.startswith("You may not call iam:SimulatePrincipalPolicy, so nobody has")


def test_a_function_whose_role_is_gone_is_a_finding(deployed: Deployed) -> None:
    """IAM cannot judge this function; the others are judged all the same."""
    boto3.client("lambda").update_function_configuration(
        FunctionName=SWEEP, Role=f"arn:aws:iam::{ACCOUNT}:role/gone"
    )
    (sentence,) = permissions.check(STAGE)
    assert sentence.startswith(f"IAM did not judge what {SWEEP} may do (NoSuchEntity: ")


def test_a_function_that_is_missing_is_left_to_the_check_of_functions(
    deployed: Deployed,
) -> None:
    """One fault gives one finding."""
    boto3.client("lambda").delete_function(FunctionName=SWEEP)
    assert list(permissions.check(STAGE)) == []
