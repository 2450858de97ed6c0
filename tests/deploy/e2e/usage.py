"""What the tests of the deployed stage share: making jobs, waiting for runs, listing leftovers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import boto3

from tests.deploy.e2e.conftest import Stage
from tests.deploy.e2e.emulator import IMAGE

TERMINAL = ("succeeded", "failed", "cancelled")


def wait_for(look: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Call `look` until its answer is true, and return the answer."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if found := look():
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what}: not within {seconds} s")


def job(stage: Stage, name: str, script: str, **fields: Any) -> str:
    spec = {"name": name, "image": IMAGE, "command": ["sh", "-c", script], **fields}
    return str(stage.ok("POST", "jobs", spec)["id"])


def finished(stage: Stage, run: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = stage.ok("GET", run)
        return found if found["status"] in TERMINAL else None

    result: dict[str, Any] = wait_for(look, f"{run} to finish")
    return result


def leftovers(stage: Stage) -> list[str]:
    """
    The names of everything in AWS that belongs to a job of the stage, and should go with it.

    An Idempotency-Key of a create outlives its job on purpose, until TTL removes it: it is what
    answers a repeated create with 409.
    """
    prefix = f"jobyard-{stage.name}"
    ecs, dynamodb = boto3.client("ecs"), boto3.client("dynamodb")
    rules = boto3.client("events").list_rules(NamePrefix=f"{prefix}-job_")["Rules"]
    groups = boto3.client("logs").describe_log_groups(
        logGroupNamePrefix=f"/jobyard/{stage.name}/job_"
    )["logGroups"]
    definitions = ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    records = [
        item["sk"]["S"]
        for table in ("jobs", "runs")
        for item in dynamodb.scan(TableName=f"{prefix}-{table}")["Items"]
        if item["pk"]["S"] not in ("audit", "lease")  # the stage's own
        # an entry of the audit trail and a month's costs outlive the job
        if not item["sk"]["S"].startswith(("entry_", "cost#"))
        if not (table == "jobs" and item["sk"]["S"].startswith("key#") and "expires" in item)
    ]
    return [
        *(rule["Name"] for rule in rules),
        *(group["logGroupName"] for group in groups),
        *(arn for arn in definitions if f"/{prefix}-job_" in arn),
        *ecs.list_tasks(cluster=prefix)["taskArns"],
        *records,
    ]
