"""
`make doctor STAGE=prod [IMAGE=...]`: is a deployed stage all right, and if not, what is wrong.

Each check answers with sentences, none when it finds nothing. The last one runs a tiny image
through the API, which proves what the others can only suspect: that a token is taken, that ECS
starts a task, that its subnets reach a registry and that its output is readable. It reads, but
for that run, whose job, output and token it removes again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator

import boto3
from botocore.exceptions import ClientError
from ulid import ULID

from infra import account, network, permissions
from infra.account import Refused
from infra.api_client import Api, NotOk
from infra.deploy import FUNCTIONS, TABLES, find_stack, outputs, stack_name
from infra.token_store import temporary_token

IMAGE = "public.ecr.aws/docker/library/busybox:stable"
RUN_SECONDS = 300
"""A first pull on Fargate takes about half a minute."""


def check_stack(stage: str) -> Iterator[str]:
    stack = find_stack(stack_name(stage))
    status = stack["StackStatus"] if stack else "missing"
    if not status.endswith("_COMPLETE") or "ROLLBACK" in status:
        yield f"The stack is {status}; make deploy STAGE={stage} mends it or says why not."


def check_tables(stage: str) -> Iterator[str]:
    dynamodb = boto3.client("dynamodb")
    for name in (f"jobyard-{stage}-{table}" for table in TABLES):
        try:
            table = dynamodb.describe_table(TableName=name)["Table"]
        except dynamodb.exceptions.ResourceNotFoundException:
            yield f"The table {name} is missing; restore it from its backup."
            continue
        if table["TableStatus"] not in ("ACTIVE", "UPDATING"):
            yield f"The table {name} is {table['TableStatus']}."
        if not table.get("DeletionProtectionEnabled"):
            yield f"The table {name} can be deleted by anybody who may; turn its protection on."
        backups = dynamodb.describe_continuous_backups(TableName=name)
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        if recovery["PointInTimeRecoveryStatus"] != "ENABLED":
            yield f"The table {name} has no point-in-time recovery; turn it on."
        ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if ttl["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
            yield f"The table {name} has no time to live; turn it on for the attribute expires."


def check_functions(stage: str) -> Iterator[str]:
    functions = boto3.client("lambda")
    for name in (f"jobyard-{stage}-{function}" for function in FUNCTIONS):
        try:
            state = functions.get_function(FunctionName=name)
        except functions.exceptions.ResourceNotFoundException:
            yield f"The function {name} is missing."
            continue
        if state.get("Concurrency", {}).get("ReservedConcurrentExecutions") == 0:
            yield f"The function {name} was halted by make destroy; make deploy wakes it."


def check_cluster(stage: str) -> Iterator[str]:
    name = stack_name(stage)
    clusters = boto3.client("ecs").describe_clusters(clusters=[name])["clusters"]
    if not clusters or clusters[0]["status"] != "ACTIVE":
        yield f"The cluster {name} is {clusters[0]['status'] if clusters else 'missing'}."
    elif "FARGATE_SPOT" not in (held := clusters[0].get("capacityProviders", [])):
        wanted = " ".join(sorted({*held, "FARGATE", "FARGATE_SPOT"}))
        yield (
            f"The cluster {name} lacks the capacity provider FARGATE_SPOT, so no task starts on "
            f"Spot; aws ecs put-cluster-capacity-providers --cluster {name} "
            f"--capacity-providers {wanted} --default-capacity-provider-strategy '[]' adds it."
        )


def check_roles(stage: str) -> Iterator[str]:
    iam = boto3.client("iam")
    name = f"jobyard-{stage}-execution"
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        yield f"The role {name} is missing, so ECS can start nothing."
        return
    if "ecs-tasks.amazonaws.com" not in json.dumps(role["AssumeRolePolicyDocument"]):
        yield f"The role {name} does not trust ecs-tasks.amazonaws.com, so ECS cannot use it."
    if not iam.list_roles(PathPrefix="/aws-service-role/ecs.amazonaws.com/")["Roles"]:
        yield "The account has no service-linked role for ECS; make deploy makes it."


def check_subnets(stage: str) -> Iterator[str]:
    told = outputs(stage)
    yield from network.ways_out(
        told["Subnets"].split(","),
        told["SecurityGroups"].split(","),
        public_ip=told["AssignPublicIp"] == "ENABLED",
        secrets=secret_services(stage),
    )


def secret_services(stage: str) -> set[str]:
    """The services that the stage's jobs name secrets of: secretsmanager, ssm."""
    try:
        pages = (
            boto3.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=f"jobyard-{stage}-jobs", ProjectionExpression="spec")
        )
        specs = [json.loads(item["spec"]["S"]) for page in pages for item in page["Items"] if item]
    except boto3.client("dynamodb").exceptions.ResourceNotFoundException:
        return set()  # check_tables says so
    return {arn.split(":")[2] for spec in specs for arn in spec["secrets"].values()}


def check_dead_letters(stage: str) -> Iterator[str]:
    sqs = boto3.client("sqs")
    for name in (f"jobyard-{stage}-undelivered-events", f"jobyard-{stage}-failed-events"):
        try:
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        except ClientError as error:
            yield f"The queue {name} is not there ({error.response['Error']['Code']})."
            continue
        wanted = "ApproximateNumberOfMessages"
        held = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[wanted])["Attributes"]
        if int(held[wanted]):
            yield f"{held[wanted]} events wait in {name}; each says why it was given up."


CHECKS = {
    "stack": check_stack,
    "tables": check_tables,
    "functions": check_functions,
    "cluster": check_cluster,
    "roles": check_roles,
    "permissions": permissions.check,
    "subnets": check_subnets,
    "dead letters": check_dead_letters,
}


def check_run(stage: str, url: str, image: str) -> Iterator[str]:
    """One run of `image` through the API; its job and token are removed, however it ends."""
    workspace, region = "jobyard-doctor", account.region()
    with temporary_token(stage, region, workspace, projects=None, name="doctor") as text:
        api = Api(url, text, workspace=workspace, project="doctor")
        try:
            job = api.ask("POST", "jobs", {"name": f"doctor-{ULID()}", "image": image, **_SPEC})
            try:
                yield from _run(api, job["id"])
            finally:
                api.ask("DELETE", f"jobs/{job['id']}")
        except NotOk as error:
            yield str(error)


_SPEC = {"command": ["echo", "all right"], "timeout_seconds": RUN_SECONDS}


def _run(api: Api, job_id: str) -> Iterator[str]:
    run = api.ask("POST", f"jobs/{job_id}/runs")
    path = f"jobs/{job_id}/runs/{run['id']}"
    patience = time.monotonic() + RUN_SECONDS
    while run["status"] in ("pending", "running"):
        if time.monotonic() > patience:
            yield f"A run is {run['status']} after {RUN_SECONDS} s; look at its task in ECS."
            return
        time.sleep(1)
        run = api.ask("GET", path)
    if run["status"] != "succeeded":
        error = run["error"] or {}
        yield f"A run {run['status']}: {error.get('message')} {error.get('hint')}"
        return
    while not api.ask("GET", f"{path}/logs")["logs"]:
        if time.monotonic() > patience:
            yield "A run succeeded, but its output does not appear in CloudWatch Logs."
            return
        time.sleep(1)


def examine(stage: str, url: str | None, image: str) -> list[str]:
    """Everything that is wrong; says as it goes what is being looked at."""
    wrong: list[str] = []
    looks = {name: check(stage) for name, check in CHECKS.items()}
    looks["a run"] = check_run(stage, url or outputs(stage)["EndpointURL"], image)
    for name, found in looks.items():
        sentences = list(found)
        print(f"{'wrong' if sentences else 'ok':7}{name}", flush=True)
        for sentence in sentences:
            print(f"       {sentence}")
        wrong += sentences
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(prog="make doctor", description=__doc__)
    parser.add_argument("stage")
    parser.add_argument("--image", default=IMAGE, help="what to run; it must have `echo`")
    parser.add_argument("--url", help="where the API answers, if not at its own address")
    arguments = parser.parse_args()
    try:
        account.announce(arguments.stage, "examining")
        wrong = examine(arguments.stage, arguments.url, arguments.image)
    except Refused as refusal:
        sys.exit(f"make doctor: {refusal}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
