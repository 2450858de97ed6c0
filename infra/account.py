"""
The AWS account that a deployment goes into: which one it is, and what it must have.

What all stages of an account share is made once by the first deployment and belongs to no stack,
so that taking one stage away never takes it from the others: ECS's service-linked role, the role
that lets API Gateway write logs, and the artifact bucket (infra/artifacts.py).
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError, ClientError

STAGE = re.compile(r"[a-z][a-z0-9-]{0,19}")
GATEWAY_LOGS_ROLE = "jobyard-apigateway-logs"
GATEWAY_LOGS_POLICY = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
ROLE_SECONDS = 20
"""After which a new role is usable as a rule; IAM promises no time."""
AWS_HOST = re.compile(r"https://[a-z0-9.-]+\.(amazonaws\.com|amazonaws\.com\.cn|api\.aws)")


class Refused(Exception):
    """The command did nothing; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where a command acts."""

    id: str
    region: str
    caller: str
    partition: str

    @property
    def bucket(self) -> str:
        return f"jobyard-artifacts-{self.id}-{self.region}"


def announce(stage: str, act: str) -> Account:
    """
    Find out the account and region and print them, before anything is done there.

    Raises Refused for a stage that cannot be a name, for credentials or a region that are missing,
    and for an endpoint that is not AWS: a shell that has sourced `.local/env` would otherwise put
    half a deployment into the local stack. JOBYARD_E2E=1 lets the emulator of `make e2e` through.
    """
    if not STAGE.fullmatch(stage):
        raise Refused(f"STAGE={stage!r} must be 1 to 20 of a-z, 0-9 and -, beginning with a letter")
    if stage == "local":
        raise Refused("STAGE=local is the stack of `make up`; take another name")
    is_emulated = os.environ.get("JOBYARD_E2E") == "1"
    if not is_emulated:
        _refuse_named_endpoints()
    where = region()
    if not is_emulated:
        _refuse_endpoint_of_profile(where)
    try:
        identity = boto3.client("sts", region_name=where).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise Refused(f"AWS does not know who is asking: {error}") from error
    partition = identity["Arn"].split(":")[1]
    account = Account(identity["Account"], where, identity["Arn"], partition)
    print(f"{act} stage {stage} in account {account.id}, region {account.region}")
    print(f"as {account.caller}")
    return account


def region() -> str:
    """
    The region in which this process acts: AWS_REGION, else AWS_DEFAULT_REGION, else the profile's.

    AWS's SDKs read AWS_REGION ("AWS Region", AWS SDKs and Tools Reference Guide), and the second
    AWS CLI reads it before AWS_DEFAULT_REGION. botocore reads AWS_DEFAULT_REGION alone, so that
    is set to what was found: for the clients of boto3 and PynamoDB in this process, and for the
    AWS CLI that it starts. Raises Refused where there is none.
    """
    if named := os.environ.get("AWS_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = named
    found = boto3.session.Session().region_name
    if not found:
        raise Refused("no region is set; set AWS_REGION, or name one in the AWS profile")
    return found


def _refuse_named_endpoints() -> None:
    named = sorted(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL"))
    if named:
        raise Refused(f"{', '.join(named)} is set, so this would not reach AWS; unset it")


def _refuse_endpoint_of_profile(where: str) -> None:
    endpoint = boto3.client("cloudformation", region_name=where).meta.endpoint_url
    if not AWS_HOST.fullmatch(endpoint):
        raise Refused(f"the AWS profile sends CloudFormation to {endpoint}; use another one")


def prepare(account: Account) -> None:
    """Make the roles that all stages share, where they are missing; safe to repeat or die in."""
    _make_ecs_role()
    _let_gateway_log(account)


def _make_ecs_role() -> None:
    """
    A new account has no service-linked role for ECS: its cluster would not be created, and its
    first RunTask would fail.

    CreateCluster with capacity providers checks that it can assume the role, which a new role
    does not allow for some seconds, and CloudFormation does not try again (aws-cloudformation/
    cloudformation-coverage-roadmap #818). So a new role is waited for, once in an account's life.
    """
    iam = boto3.client("iam")
    if not iam.list_roles(PathPrefix="/aws-service-role/ecs.amazonaws.com/")["Roles"]:
        print("making ECS's service-linked role")
        iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
        time.sleep(ROLE_SECONDS)


def _let_gateway_log(account: Account) -> None:
    """API Gateway refuses a stage with access logs until the account names it a role to log by."""
    gateway = boto3.client("apigateway")
    if gateway.get_account().get("cloudwatchRoleArn"):
        return
    print(f"making the role {GATEWAY_LOGS_ROLE}, for API Gateway's logs")
    iam = boto3.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "apigateway.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    try:
        role = iam.create_role(
            RoleName=GATEWAY_LOGS_ROLE, AssumeRolePolicyDocument=json.dumps(trust)
        )
    except iam.exceptions.EntityAlreadyExistsException:
        role = iam.get_role(RoleName=GATEWAY_LOGS_ROLE)
    policy = f"arn:{account.partition}:iam::aws:policy/{GATEWAY_LOGS_POLICY}"
    iam.attach_role_policy(RoleName=GATEWAY_LOGS_ROLE, PolicyArn=policy)
    change = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role["Role"]["Arn"]}
    for wait in (2, 4, 8, 16, 0):  # a new role takes some seconds to be known everywhere
        try:
            gateway.update_account(patchOperations=[change])
            return
        except gateway.exceptions.BadRequestException:
            if not wait:
                raise
            time.sleep(wait)
