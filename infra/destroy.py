"""
`make destroy STAGE=prod [DATA=delete] [CONFIRM=prod]`: take a stage away again.

    halted     the functions, so that no sweep or audit puts back what is being removed
    drained    every rule and running task of the stage, which live outside CloudFormation
    deleted    the stack: API, functions, roles, cluster, network, queues, alarms

It says first what is running and what will be lost, and goes on when the operator has typed the
stage's name, or given it in CONFIRM.

What people put in stays unless DATA=delete is given: the tables, the task definitions (a job's
env values are in them) and the containers' output. `make deploy` takes all of it over again, and
the next audit puts the rules back. Every step may be repeated, so dying anywhere is answered by
running it again; only deploying undoes the halt.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib.domain import ecs_task
from infra import account, artifacts
from infra.account import Refused
from infra.deploy import FUNCTIONS, delete_stack, find_stack, kept_tables, stack_name

PATIENT = Config(retries={"mode": "adaptive", "total_max_attempts": 12})
"""DeregisterTaskDefinition is limited to one a second."""
TASKS_GONE_SECONDS = 300
"""A task has its stop timeout (at most 120 s), and then its network interface is taken down."""
SHOWN_JOBS = 20
"""How many jobs with running tasks are listed before the operator is asked."""


def halt(stage: str) -> None:
    """Halt every function of the stage; `make deploy` ends the halt."""
    functions = boto3.client("lambda")
    for name in FUNCTIONS:
        try:
            functions.put_function_concurrency(
                FunctionName=f"jobyard-{stage}-{name}", ReservedConcurrentExecutions=0
            )
        except functions.exceptions.ResourceNotFoundException:
            continue  # the stack's creation failed before this function, or its deletion after it


def remove_rules(stage: str) -> int:
    """Remove the rules of the stage's jobs; how many there were."""
    events = boto3.client("events", config=PATIENT)
    prefix = f"jobyard-{stage}-job_"
    pages = events.get_paginator("list_rules").paginate(NamePrefix=prefix)
    names = [rule["Name"] for page in pages for rule in page["Rules"]]
    for name in names:
        remove_rule(events, name)
    return len(names)


def remove_rule(events: Any, name: str) -> None:
    """Remove a rule with its targets."""
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    if targets:
        events.remove_targets(Rule=name, Ids=[target["Id"] for target in targets])
    events.delete_rule(Name=name)


def stop_tasks(stage: str) -> int:
    """
    Stop what runs in the stage's cluster and wait until it is gone; how many there were.

    Asked again until nothing is left: a function that was on its way when the stage was halted
    may still have launched one. Raises Refused if they have not gone in TASKS_GONE_SECONDS.
    """
    ecs = boto3.client("ecs", config=PATIENT)
    cluster = stack_name(stage)
    if not _has_cluster(cluster):
        return 0
    seen: set[str] = set()
    gone: set[str] = set()
    patience = time.monotonic() + TASKS_GONE_SECONDS
    while time.monotonic() < patience:
        for arn in _running_tasks(cluster):
            if arn not in seen:
                ecs.stop_task(cluster=cluster, task=arn, reason=f"stage {stage} is being removed")
                seen.add(arn)
        gone |= _stopped(cluster, sorted(seen - gone))
        if gone == seen:
            return len(seen)
        time.sleep(2)
    raise Refused(f"{len(seen - gone)} tasks do not stop; wait a little, then run this again")


def _has_cluster(cluster: str) -> bool:
    """
    Whether ECS can be asked for the cluster's tasks.

    A deleted cluster may stay listed as INACTIVE for some time (DeleteCluster, API reference),
    and ListTasks answers ClusterNotFoundException then.
    """
    found = boto3.client("ecs").describe_clusters(clusters=[cluster])["clusters"]
    return any(one["status"] != "INACTIVE" for one in found)


def _running_tasks(cluster: str) -> Iterator[str]:
    ecs = boto3.client("ecs", config=PATIENT)
    for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster):
        yield from page["taskArns"]


def _stopped(cluster: str, arns: list[str]) -> set[str]:
    """Those of `arns` that are STOPPED, or that ECS has forgotten."""
    ecs = boto3.client("ecs", config=PATIENT)
    alive: set[str] = set()
    for start in range(0, len(arns), 100):
        tasks = ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + 100])["tasks"]
        alive |= {task["taskArn"] for task in tasks if task["lastStatus"] != "STOPPED"}
    return set(arns) - alive


def delete_task_definitions(stage: str) -> int:
    """Deregister and delete every revision of the stage's families; how many families."""
    ecs = boto3.client("ecs", config=PATIENT)
    pages = ecs.get_paginator("list_task_definition_families").paginate(
        familyPrefix=f"jobyard-{stage}-job_"
    )
    families = [family for page in pages for family in page["families"]]
    listing = ecs.get_paginator("list_task_definitions")
    for family in families:
        active, inactive = (
            [
                arn
                for page in listing.paginate(familyPrefix=family, status=status)
                for arn in page["taskDefinitionArns"]
            ]
            for status in ("ACTIVE", "INACTIVE")
        )
        for arn in active:
            ecs.deregister_task_definition(taskDefinition=arn)
        arns = active + inactive
        for start in range(0, len(arns), 10):
            ecs.delete_task_definitions(taskDefinitions=arns[start : start + 10])
    return len(families)


def delete_log_groups(stage: str) -> int:
    """
    Delete the output of the stage's containers and what Container Insights wrote; how many groups.

    Container Insights makes its group by itself, so no stack owns it ("Container Insights
    performance log events for Amazon ECS", CloudWatch User Guide).
    """
    logs = boto3.client("logs", config=PATIENT)
    insights = f"/aws/ecs/containerinsights/{stack_name(stage)}/performance"
    listing = logs.get_paginator("describe_log_groups")
    names = [
        group["logGroupName"]
        for prefix in (f"/jobyard/{stage}/job_", insights)
        for page in listing.paginate(logGroupNamePrefix=prefix)
        for group in page["logGroups"]
        if prefix != insights or group["logGroupName"] == insights
    ]
    for name in names:
        logs.delete_log_group(logGroupName=name)
    return len(names)


def delete_tables(stage: str) -> int:
    """
    Delete the stage's tables, their protection first, and wait until they are gone; how many.

    One that an earlier command began to delete refuses both calls, and is waited for only. Their
    backups stay.
    """
    dynamodb = boto3.client("dynamodb", config=PATIENT)
    tables = kept_tables(stage)
    for table in tables:
        status = dynamodb.describe_table(TableName=table)["Table"]["TableStatus"]
        if status != "DELETING":
            dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
            dynamodb.delete_table(TableName=table)
    gone = dynamodb.get_waiter("table_not_exists")
    for table in tables:
        gone.wait(TableName=table, WaiterConfig={"Delay": 3, "MaxAttempts": 200})
    return len(tables)


def destroy(stage: str, *, data: bool) -> None:
    """All of it, in the order in which nothing can come back."""
    name = stack_name(stage)
    halt(stage)
    print(f"removed {remove_rules(stage)} rules, stopped {stop_tasks(stage)} tasks")
    if find_stack(name) is not None:
        print(f"deleting the stack {name}; this takes some minutes", flush=True)
        delete_stack(name)
    remove_rules(stage)  # by a request that was on its way when the stage was halted
    if data:
        print(f"deleted {delete_task_definitions(stage)} task definition families")
        print(f"deleted {delete_log_groups(stage)} log groups, {delete_tables(stage)} tables")
    else:
        kept = ", ".join(kept_tables(stage)) or "no tables"
        print(f"kept: {kept}, task definitions and container output; DATA=delete removes them too")


def importers(stage: str) -> list[str]:
    """Stacks that import the function behind their jobs; CloudFormation keeps it for them."""
    cloudformation = boto3.client("cloudformation", config=PATIENT)
    pages = cloudformation.get_paginator("list_imports").paginate(
        ExportName=f"{stack_name(stage)}-job-resource"
    )
    try:
        return [name for page in pages for name in page["Imports"]]
    except ClientError as error:
        # that is its answer too where nobody imports it, or where it is not exported
        if error.response["Error"]["Code"] == "ValidationError":
            return []
        raise


def refuse_while_imported(stage: str) -> None:
    """Raises Refused while stacks have jobs here: halted, Jobyard could not even delete these."""
    if found := importers(stage):
        raise Refused(
            f"jobs of stage {stage} are resources of other stacks; remove them from these first, "
            f"or delete these: {', '.join(found)}"
        )


def running(stage: str) -> Counter[str]:
    """How many tasks of each job are to run now, by the job's id; "other" are none of a job's."""
    cluster = stack_name(stage)
    arns = list(_running_tasks(cluster)) if _has_cluster(cluster) else []
    ecs = boto3.client("ecs", config=PATIENT)
    found: Counter[str] = Counter()
    for start in range(0, len(arns), 100):
        for task in ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + 100])["tasks"]:
            owner = ecs_task.owner(task.get("startedBy", ""))
            found[owner[0] if owner else "other"] += 1
    return found


def confirm(stage: str, *, data: bool) -> None:
    """
    Say what will be stopped and lost, and let the operator agree by the stage's name.

    The name is typed, or given in CONFIRM. Raises Refused otherwise, and where nobody can type.
    """
    tasks = running(stage)
    print(f"{tasks.total()} tasks run in stage {stage}; they are stopped, their runs are cut off")
    for job, count in tasks.most_common(SHOWN_JOBS):
        print(f"  {count:5} of {job}")
    if len(tasks) > SHOWN_JOBS:
        print(f"  ... and of {len(tasks) - SHOWN_JOBS} more jobs")
    if data:
        print("jobs, runs, tokens and all container output of this stage will be gone for good")
    else:
        print("the API and all schedules stop; jobs, runs, tokens and output are kept")
    answer = os.environ.get("CONFIRM")
    if answer is None:
        if not sys.stdin.isatty():
            raise Refused(f"nobody can be asked here; CONFIRM={stage} says that it is meant")
        print(f"type {stage} to go on: ", end="", flush=True)
        answer = sys.stdin.readline().strip()
    if answer != stage:
        raise Refused(f"not confirmed: {answer!r} is not {stage!r}; nothing was done")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make destroy", description=__doc__)
    parser.add_argument("stage")
    parser.add_argument("--data", choices=["keep", "delete"], default="keep")
    arguments = parser.parse_args()
    try:
        where = account.announce(arguments.stage, "destroying")
        data = arguments.data == "delete"
        refuse_while_imported(arguments.stage)
        confirm(arguments.stage, data=data)
        destroy(arguments.stage, data=data)
        artifacts.supersede(where, arguments.stage, but=set())
    except Refused as refusal:
        sys.exit(f"make destroy: {refusal}")


if __name__ == "__main__":
    main()
