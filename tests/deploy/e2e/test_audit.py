"""
Runs the deployed audit with its own policy: what it puts back, adopts and removes.

These tests run during `make verify`, so they also show that neither disturbs the other.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from ulid import ULID

from chalicelib.domain import ecs_task, ids
from tests.deploy.e2e import gaps
from tests.deploy.e2e.conftest import Stage
from tests.deploy.e2e.emulator import IMAGE
from tests.deploy.e2e.usage import job, wait_for

pytestmark = pytest.mark.usefixtures("verification")
AGE = "e2e:age"
"""The tag with which emulated.py makes a task older."""
OLD_ENOUGH = "400"
"""Seconds; the audit leaves tasks alone until they are five minutes old."""


def audit(stage: Stage) -> None:
    """Run a whole audit now, including the parts that are due once an hour."""
    dynamodb = boto3.client("dynamodb")
    table = f"jobyard-{stage.name}-jobs"
    for part in ("tasks", "rules", "schedules", "definitions", "log-groups"):
        dynamodb.delete_item(TableName=table, Key={"pk": {"S": "audit"}, "sk": {"S": part}})
    answer = gaps.patient_lambda().invoke(
        FunctionName=f"jobyard-{stage.name}-audit", Payload=json.dumps(gaps.SCHEDULED).encode()
    )
    done = json.load(answer["Payload"])
    assert set(done) == {"tasks", "rules", "schedules", "definitions", "log-groups"}, done


def rules(stage: Stage, job_id: str) -> list[dict[str, Any]]:
    prefix = f"jobyard-{stage.name}-{job_id}-"
    events: Any = boto3.client("events")
    return list(events.list_rules(NamePrefix=prefix)["Rules"])


def test_rules_that_somebody_changed_or_removed_are_put_back(stage: Stage) -> None:
    """
    One rule is disabled, one has lost its target, one is deleted, and one job has an extra rule.
    """
    events = boto3.client("events")
    disabled, targetless, gone, doubled = (
        job(stage, name, "true", schedule="0 0 1 1 *")
        for name in ("disabled", "targetless", "gone", "doubled")
    )
    before = {made: rules(stage, made) for made in (disabled, targetless, gone, doubled)}
    events.disable_rule(Name=before[disabled][0]["Name"])
    for made in (targetless, gone):
        events.remove_targets(Rule=before[made][0]["Name"], Ids=["fire"])
    events.delete_rule(Name=before[gone][0]["Name"])
    extra = before[doubled][0]["Name"].removesuffix("-0") + "-7"
    events.put_rule(Name=extra, ScheduleExpression="cron(0 0 1 1 ? *)")

    audit(stage)

    assert {made: rules(stage, made) for made in before} == before
    for made in before:
        targets = events.list_targets_by_rule(Rule=before[made][0]["Name"])["Targets"]
        assert [target["Id"] for target in targets] == ["fire"]


def test_a_task_that_its_run_does_not_record_is_adopted(stage: Stage) -> None:
    """The launcher died before it recorded the task, and the task's events were lost."""
    made = job(stage, "unrecorded", "exec sleep 600")
    run = stage.ok("POST", f"jobs/{made}/runs")
    path = f"jobs/{made}/runs/{run['id']}"
    stage.events.lose(ecs_task.started_by(made, run["id"], 1))
    wait_for(lambda: stage.ok("GET", path)["status"] == "running", "the run to start")
    task = stage.ok("GET", path)["task_arn"]
    in_ten_minutes = f"{datetime.now(UTC) + timedelta(minutes=10):%Y-%m-%dT%H:%M:%S.%f%z}"
    boto3.client("dynamodb").update_item(
        TableName=f"jobyard-{stage.name}-runs",
        Key={"pk": {"S": made}, "sk": {"S": run["id"]}},
        UpdateExpression="SET #s = :pending, look_at = :later "
        "REMOVE task_arn, event_version, attempt_started_at, started_at",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":pending": {"S": "pending"}, ":later": {"S": in_ten_minutes}},
    )
    assert stage.ok("GET", path)["task_arn"] is None
    make_old(task)

    audit(stage)

    found = stage.ok("GET", path)
    assert (found["status"], found["task_arn"]) == ("running", task)
    stage.ok("POST", f"{path}/cancel")


def test_a_task_whose_run_is_over_is_stopped(stage: Stage) -> None:
    """Only the audit can stop it: its run is terminal and in no index, and the events were lost."""
    made = job(stage, "stray", "exec sleep 600")
    run = stage.ok("POST", f"jobs/{made}/runs", {"command": ["true"]})
    path = f"jobs/{made}/runs/{run['id']}"
    wait_for(lambda: stage.ok("GET", path)["status"] == "succeeded", "the run to end")
    started_by = ecs_task.started_by(made, run["id"], 1)
    stage.events.lose(started_by)
    ecs: Any = boto3.client("ecs")
    cluster = f"jobyard-{stage.name}"
    stray = ecs.run_task(
        cluster=cluster,
        taskDefinition=f"{cluster}-{made}",
        launchType="FARGATE",
        startedBy=started_by,
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    )["tasks"][0]["taskArn"]

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = ecs.describe_tasks(cluster=cluster, tasks=[stray])["tasks"][0]
        return found

    wait_for(lambda: shown()["lastStatus"] == "RUNNING", "the stray task to run")
    make_old(stray)

    audit(stage)

    wait_for(lambda: shown()["lastStatus"] == "STOPPED", "the stray task to stop")
    assert shown()["stoppedReason"] == "Jobyard: not the current task of its run"


def test_resources_without_a_job_are_removed(stage: Stage) -> None:
    """
    The job's id is two hours old and was never stored; rule, task definition and log group exist.
    """
    made_at = datetime.now(UTC) - timedelta(hours=2)
    owner = f"job_{ULID.from_datetime(made_at)}"
    assert ids.JOB.fullmatch(owner)
    ecs: Any = boto3.client("ecs")
    events, logs = boto3.client("events"), boto3.client("logs")
    family = f"jobyard-{stage.name}-{owner}"
    container = {"name": "main", "image": IMAGE, "memory": 512}
    ecs.register_task_definition(family=family, containerDefinitions=[container])
    events.put_rule(Name=f"{family}-0", ScheduleExpression="cron(0 0 1 1 ? *)")
    logs.create_log_group(logGroupName=f"/jobyard/{stage.name}/{owner}")

    audit(stage)

    assert (
        ecs.list_task_definitions(familyPrefix=family, status="ACTIVE")["taskDefinitionArns"] == []
    )
    assert rules(stage, owner) == []
    groups = logs.describe_log_groups(logGroupNamePrefix=f"/jobyard/{stage.name}/{owner}")
    assert groups["logGroups"] == []


def test_a_task_definition_that_no_run_needs_is_deleted(stage: Stage) -> None:
    """A run in flight keeps the older revision; after the run the audit deletes it."""
    made = job(stage, "revised", "exec sleep 600")
    run = stage.ok("POST", f"jobs/{made}/runs")
    path = f"jobs/{made}/runs/{run['id']}"
    wait_for(lambda: stage.ok("GET", path)["status"] == "running", "the run to start")
    stage.ok("PATCH", f"jobs/{made}", {"env": {"MODE": "full"}})
    family = f"jobyard-{stage.name}-{made}"

    def active() -> list[str]:
        answer = boto3.client("ecs").list_task_definitions(familyPrefix=family, status="ACTIVE")
        return [arn.rpartition(":")[2] for arn in answer["taskDefinitionArns"]]

    audit(stage)
    assert active() == ["1", "2"]
    stage.ok("POST", f"{path}/cancel")
    wait_for(lambda: stage.ok("GET", path)["exit_code"] is not None, "the container to end")
    audit(stage)
    assert active() == ["2"]


def make_old(task: str) -> None:
    """Let the emulator show a task that is old enough for the audit (see emulated.py)."""
    boto3.client("ecs").tag_resource(resourceArn=task, tags=[{"key": AGE, "value": OLD_ENOUGH}])
