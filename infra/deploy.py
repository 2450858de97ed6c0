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
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from infra import account, artifacts, insights, layout, package, snapstart
from infra.account import Account, Refused
from infra.bytecode import Missing
from infra.dependencies import LAMBDA

FUNCTIONS = ("api", "task-changed", "fire", "sweep", "sweep-part", "audit", "job-resource")
TABLES = ("jobs", "runs", "tokens")
UNBORN = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS", "CREATE_FAILED"})
"""States of a stack that never came to be and can only be deleted; its tables stay."""
FAILED_IMPORT = frozenset({"IMPORT_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_FAILED"})
"""States of a stack whose last operation was an import, and that failed."""
UNDER_WAY = frozenset({"DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "IMPORT_ROLLBACK_IN_PROGRESS"})
"""States of an operation that an earlier command may have begun before it died."""
PACE = {"Delay": 3, "MaxAttempts": 400}
"""How botocore's waiters ask CloudFormation: 20 minutes at most."""


def stack_name(stage: str) -> str:
    return f"jobyard-{stage}"


def deploy(stage: str, parameters: Sequence[str], where: Account, made: package.Package) -> None:
    """
    Bring the stage's stack to `made`, with `parameters` as `Key=Value`.

    Raises Refused with CloudFormation's reasons if it refuses or rolls back.
    """
    layout.check(stage, made.template)
    name = stack_name(stage)
    remove_unborn(name)
    if find_stack(name) is None:
        print(insights.notice(stage, given(parameters), made.template))
    destination = ("--s3-bucket", where.bucket, "--s3-prefix", artifacts.prefix(stage))
    packaged = upload(made.template, where, destination)
    snapstart.add_if_on(packaged, parameters_of(stage) | given(parameters))
    adopt_kept_tables(stage, packaged)
    tags = ("--tags", f"jobyard:stage={stage}")
    stack_up(name, packaged, (*destination, *tags), (f"Stage={stage}", *parameters))
    artifacts.supersede(where, stage, but=artifacts.archives(packaged, where))
    wake(stage)


def upload(template: Path, where: Account, destination: Sequence[str]) -> Path:
    """Put the archive into the account's bucket; the template that names it there."""
    packaged = template.with_name("packaged.json")
    artifacts.prepare(where)
    aws(
        *("cloudformation", "package", "--template-file", str(template), *destination),
        *("--output-template-file", str(packaged), "--use-json"),
    )
    artifacts.keep(where, artifacts.archives(packaged, where))
    return packaged


def stack_up(name: str, template: Path, options: Sequence[str], parameters: Sequence[str]) -> None:
    """
    Create the stack or change it to `template`; a parameter that is not given keeps its value.

    The AWS CLI asks for the previous value of each parameter that the stack has already, so that
    a default that changes from one version to the next changes no stage that is there.
    """
    overrides = ("--parameter-overrides", *parameters) if parameters else ()
    aws(
        *("cloudformation", "deploy", "--stack-name", name, "--template-file", str(template)),
        *("--capabilities", "CAPABILITY_NAMED_IAM", "--no-fail-on-empty-changeset"),
        *(*options, *overrides),
        failing_stack=name,
    )


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


def parameters_of(stage: str) -> dict[str, str]:
    """The stack's parameters by name; none where the stage is not deployed."""
    stack = find_stack(stack_name(stage)) or {}
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}


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
    """
    Delete what is left of a first deployment that failed: it blocks every later one.

    A stack that an import of the kept tables began, and failed to, is left in a state of its own
    (FAILED_IMPORT; "Stack status codes" in the CloudFormation User Guide). It exists, so without
    this nothing would take the tables over any more. Its tables have the deletion policy Retain
    and stay. A stack that holds anything else lived before its import: it is left alone.
    """
    stack = find_settled_stack(name)
    if stack is None:
        return
    status = stack["StackStatus"]
    if status in UNBORN or (status in FAILED_IMPORT and _holds_only_tables(name)):
        print(f"removing what is left of a first deployment that failed ({status})")
        delete_stack(name)


def find_settled_stack(name: str) -> dict[str, Any] | None:
    """The stack, once an import or a deletion that was begun earlier has come to its end."""
    for _ in range(PACE["MaxAttempts"]):
        stack = find_stack(name)
        if stack is None or stack["StackStatus"] not in UNDER_WAY:
            return stack
        print(f"waiting: the stack {name} is {stack['StackStatus']}", flush=True)
        time.sleep(PACE["Delay"])
    raise Refused(f"the stack {name} does not come to an end; look at it in CloudFormation")


def _holds_only_tables(name: str) -> bool:
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources")
    held = {
        resource["ResourceType"]
        for page in pages.paginate(StackName=name)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceStatus"] != "DELETE_COMPLETE"
    }
    return held <= {layout.TABLE}


def delete_stack(name: str) -> None:
    """Delete the stack and wait until it is gone. Raises Refused with the reasons if it stays."""
    cloudformation = boto3.client("cloudformation")
    cloudformation.delete_stack(StackName=name)
    await_stack("stack_delete_complete", name)


def await_stack(what: str, name: str) -> None:
    """Wait for a state of the stack, by a waiter of botocore's. Raises Refused with reasons."""
    waiter = boto3.client("cloudformation").get_waiter(what)
    try:
        waiter.wait(StackName=name, WaiterConfig=PACE)
    except WaiterError as error:
        raise Refused("\n  ".join([f"the stack {name}: {error}", *failures(name)])) from error


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


def adopt_kept_tables(stage: str, packaged: Path) -> None:
    """
    Begin a new stack with the tables that an earlier `make destroy` kept, if there are any.

    Creating them would fail on their names. An import takes them over and can do nothing else,
    so its template has them alone; the deployment that follows adds the rest. Raises Refused with
    CloudFormation's reasons if the import fails.
    """
    kept = kept_tables(stage)
    if not kept or find_stack(stack_name(stage)) is not None:
        return
    print(f"taking over {', '.join(kept)}")
    whole = json.loads(packaged.read_text())
    imported, resources = [], {}
    for logical_id, resource in whole["Resources"].items():
        if resource["Type"] == layout.TABLE:
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
    ready = cloudformation.get_waiter("change_set_create_complete")
    try:
        ready.wait(ChangeSetName=change, WaiterConfig=PACE)
    except WaiterError as error:
        reason = error.last_response.get("StatusReason", error)
        raise Refused(f"CloudFormation cannot take over the tables: {reason}") from error
    cloudformation.execute_change_set(ChangeSetName=change)
    await_stack("stack_import_complete", stack_name(stage))


def given(parameters: Sequence[str]) -> dict[str, str]:
    """Parameters from the command line by name."""
    return dict(one.split("=", 1) for one in parameters if "=" in one)


def wake(stage: str) -> None:
    """Take away the halt of a `make destroy` that did not come to its end."""
    functions = boto3.client("lambda")
    for name in FUNCTIONS:
        functions.delete_function_concurrency(FunctionName=f"jobyard-{stage}-{name}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make deploy", description=__doc__)
    parser.add_argument("stage")
    parser.add_argument("parameters", nargs="*", help="Key=Value; see infra/stack.yaml")
    package.add_options(parser)
    arguments = parser.parse_args()
    try:
        compiler = package.compiler(arguments)
        where = account.announce(arguments.stage, "deploying")
        made = package.build(package.OUT, LAMBDA, compiler)
        account.prepare(where)
        deploy(arguments.stage, arguments.parameters, where, made)
        print(f"deployed: {outputs(arguments.stage)['EndpointURL']}")
    except (Refused, Missing) as refusal:
        sys.exit(f"make deploy: {refusal}")


if __name__ == "__main__":
    main()
