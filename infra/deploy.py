"""
`make deploy STAGE=prod [PARAMETERS="Key=Value ..."]`: the packaged stack into the account.

CloudFormation is driven by the AWS CLI, and its commands are printed: what this does can be done
by hand. A parameter that is not given keeps the value that the stage has; nothing to change is
success. Dying anywhere leaves CloudFormation to finish or to roll back; then run it again.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra import account, package
from infra.account import Account, Refused

FUNCTIONS = ("api", "task-changed", "fire", "sweep", "audit")
TABLES = ("jobs", "runs", "tokens")
UNBORN = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS", "CREATE_FAILED"})
"""States of a stack that never came to be and can only be deleted; its tables stay."""


def stack_name(stage: str) -> str:
    return f"jobyard-{stage}"


def deploy(stage: str, parameters: Sequence[str], where: Account, made: package.Package) -> None:
    """
    Bring the stage's stack to `made`, with `parameters` as `Key=Value`.

    Raises Refused with CloudFormation's reasons if it refuses or rolls back.
    """
    name = stack_name(stage)
    remove_unborn(name)
    destination = ("--s3-bucket", where.bucket, "--s3-prefix", "jobyard")
    packaged = made.template.with_name("packaged.json")
    aws(
        *("cloudformation", "package", "--template-file", str(made.template), *destination),
        *("--output-template-file", str(packaged), "--use-json"),
    )
    if find_stack(name) is None and kept_tables(stage):
        adopt_tables(stage, packaged)
    aws(
        *("cloudformation", "deploy", "--stack-name", name, "--template-file", str(packaged)),
        *("--capabilities", "CAPABILITY_NAMED_IAM", "--no-fail-on-empty-changeset", *destination),
        *("--tags", f"jobyard:stage={stage}"),
        *("--parameter-overrides", f"Stage={stage}", *parameters),
        failing_stack=name,
    )
    wake(stage)


def aws(*words: str, failing_stack: str | None = None) -> None:
    """One command of the AWS CLI that this Python brings, printed first."""
    print("$ aws", shlex.join(words), flush=True)
    cli = Path(sys.executable).with_name("aws")
    if subprocess.run([cli, *words], check=False).returncode:
        reasons = failures(failing_stack) if failing_stack else []
        raise Refused("\n  ".join(["the command above failed", *reasons]))


def find_stack(name: str) -> dict[str, Any] | None:
    """The stack as CloudFormation describes it, or None if there is none."""
    try:
        stacks = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":  # its word for "does not exist"
            raise
        return None
    return dict(stacks[0])


def outputs(stage: str) -> dict[str, str]:
    """The stack's outputs by name. Raises Refused where the stage is not deployed."""
    stack = find_stack(stack_name(stage))
    if stack is None:
        raise Refused(f"stage {stage} is not deployed here; make deploy STAGE={stage}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def failures(name: str) -> list[str]:
    """Why the stack's last operation failed: each resource's own reason, first things first."""
    events = boto3.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    reasons = []
    for event in events:
        if event.get("ResourceStatusReason") == "User Initiated":
            break
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
            reasons.append(f"{event['LogicalResourceId']}: {reason}")
    return reasons[::-1]


def remove_unborn(name: str) -> None:
    """A first deployment that failed blocks the next one until it is deleted."""
    stack = find_stack(name)
    if stack is not None and stack["StackStatus"] in UNBORN:
        print(f"removing what is left of a first deployment that failed ({stack['StackStatus']})")
        delete_stack(name)


def delete_stack(name: str) -> None:
    cloudformation = boto3.client("cloudformation")
    cloudformation.delete_stack(StackName=name)
    waiter = cloudformation.get_waiter("stack_delete_complete")
    waiter.wait(StackName=name, WaiterConfig={"Delay": 3, "MaxAttempts": 400})


def kept_tables(stage: str) -> list[str]:
    """Tables of the stage that are there."""
    dynamodb = boto3.client("dynamodb")
    found = []
    for table in (f"jobyard-{stage}-{name}" for name in TABLES):
        try:
            dynamodb.describe_table(TableName=table)
        except dynamodb.exceptions.ResourceNotFoundException:
            continue
        found.append(table)
    return found


def adopt_tables(stage: str, packaged: Path) -> None:
    """
    Begin the stack with the tables that an earlier `make destroy` kept.

    Creating them would fail on their names. An import takes them over and can do nothing else,
    so its template has them alone; the deployment that follows adds the rest.
    """
    kept = kept_tables(stage)
    print(f"taking over {', '.join(kept)}")
    whole = json.loads(packaged.read_text())
    imported, resources = [], {}
    for logical_id, resource in whole["Resources"].items():
        if resource["Type"] == "AWS::DynamoDB::Table":
            table = resource["Properties"]["TableName"]["Fn::Sub"].replace("${Stage}", stage)
            if table in kept:
                resources[logical_id] = resource
                identifier = {"ResourceType": resource["Type"], "LogicalResourceId": logical_id}
                imported.append({**identifier, "ResourceIdentifier": {"TableName": table}})
    template = {"Parameters": {"Stage": whole["Parameters"]["Stage"]}, "Resources": resources}
    cloudformation = boto3.client("cloudformation")
    change = cloudformation.create_change_set(
        StackName=stack_name(stage),
        ChangeSetName="adopt-tables",
        ChangeSetType="IMPORT",
        ResourcesToImport=imported,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Stage", "ParameterValue": stage}],
    )["Id"]
    pace = {"Delay": 3, "MaxAttempts": 400}
    ready = cloudformation.get_waiter("change_set_create_complete")
    ready.wait(ChangeSetName=change, WaiterConfig=pace)
    cloudformation.execute_change_set(ChangeSetName=change)
    done = cloudformation.get_waiter("stack_import_complete")
    done.wait(StackName=stack_name(stage), WaiterConfig=pace)


def wake(stage: str) -> None:
    """Take away the halt of a `make destroy` that did not come to its end."""
    functions = boto3.client("lambda")
    for name in FUNCTIONS:
        functions.delete_function_concurrency(FunctionName=f"jobyard-{stage}-{name}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make deploy", description=__doc__)
    parser.add_argument("stage")
    parser.add_argument("parameters", nargs="*", help="Key=Value; see infra/stack.yaml")
    arguments = parser.parse_args()
    try:
        where = account.announce(arguments.stage, "deploying")
        made = package.build(package.OUT, package.LAMBDA)
        account.prepare(where)
        deploy(arguments.stage, arguments.parameters, where, made)
        print(f"deployed: {outputs(arguments.stage)['EndpointURL']}")
    except Refused as refusal:
        sys.exit(f"make deploy: {refusal}")


if __name__ == "__main__":
    main()
