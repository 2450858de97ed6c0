"""What an operator does with a stage in use: examine it, deploy again, destroy it."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from infra import deploy, destroy, doctor
from tests.deploy.e2e.conftest import Stage, deployed
from tests.deploy.e2e.emulator import IMAGE
from tests.deploy.e2e.usage import finished, job, leftovers

REPAIRS = {
    "rule put right",
    "rules put back",
    "rule removed",
    "rule without a job removed",
    "log group without a job removed",
}
"""The audit's warnings when it repairs what test_audit.py has broken."""


def test_the_functions_have_logged_no_error(stage: Stage) -> None:
    """The policies allowed every call, and there was no defect."""
    pages = boto3.client("logs").get_paginator("filter_log_events")
    group = f"/aws/lambda/jobyard-{stage.name}"
    lines = [
        json.loads(event["message"])
        for page in pages.paginate(logGroupName=group, filterPattern='"level"')
        for event in page["events"]
        if event["message"].startswith("{")
    ]
    assert {line["message"] for line in lines} >= {"request", "run finished", "slot claimed"}
    failures = [line for line in lines if line["level"] in ("warning", "error")]
    assert [line for line in failures if line["message"] not in REPAIRS] == []
    assert {line["message"] for line in failures} == REPAIRS
    slots = {line["run_id"] for line in lines if line["message"] == "slot claimed"}
    delays = {
        line["run_id"]: line["start_delay_seconds"]
        for line in lines
        if line["message"] == "run finished" and line["start_delay_seconds"] is not None
    }
    assert delays
    # The rule of one schedule is disabled: the sweep, which runs every minute, leaves its slots to
    # the rule for 90 s.
    bounds = {run_id: 60 + (150 if run_id in slots else 0) for run_id in delays}
    # the emulator's tasks start at whole seconds
    assert {
        run_id: delay for run_id, delay in delays.items() if not -1 < delay < bounds[run_id]
    } == {}


def test_the_api_has_one_stage(stage: Stage) -> None:
    """SAM would add a second stage, open and without limits."""
    api = deploy.outputs(stage.name)["RestAPIId"]
    stages = boto3.client("apigateway").get_stages(restApiId=api)["item"]
    assert [found["stageName"] for found in stages] == ["api"]


def test_deploying_again_changes_nothing(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    """The same commit packages to the same bytes, so CloudFormation finds nothing to change."""
    before = deploy.find_stack(f"jobyard-{stage.name}")
    deploy.deploy(stage.name, [], stage.account, stage.made)
    assert "No changes to deploy" in capfd.readouterr().out
    assert deploy.find_stack(f"jobyard-{stage.name}") == before


@pytest.fixture
def no_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Leave out doctor's check of permissions: the emulator's SimulatePrincipalPolicy ignores
    ContextEntries, and so denies everything that has a condition.
    tests/deploy/test_permissions_check.py tests it.
    """
    monkeypatch.delitem(doctor.CHECKS, "permissions")


@pytest.mark.usefixtures("no_simulation")
def test_doctor_finds_nothing_wrong_and_leaves_nothing(stage: Stage) -> None:
    """Doctor's test run succeeds, and doctor removes what it made."""
    assert doctor.examine(stage.name, stage.url, IMAGE) == []
    held = boto3.client("dynamodb").scan(TableName=f"jobyard-{stage.name}-tokens")["Items"]
    assert [item["name"]["S"] for item in held] == ["e2e"]


@pytest.mark.usefixtures("no_simulation")
def test_doctor_says_what_is_wrong(stage: Stage) -> None:
    """The image does not exist, and an interrupted destroy has halted a function."""
    name = f"jobyard-{stage.name}-fire"
    functions = boto3.client("lambda")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    wrong = doctor.examine(stage.name, stage.url, "127.0.0.1:1/not/there:1")
    functions.delete_function_concurrency(FunctionName=name)
    halted, failed = wrong
    assert halted == f"The function {name} was halted by make destroy; make deploy wakes it."
    assert failed.startswith("A run failed: ")


def test_data_outlives_its_stack_and_is_taken_over_again(stage: Stage, aws: str) -> None:
    """After a destroy without DATA=delete, the next deploy finds jobs, runs and tokens."""
    made = job(stage, "survivor", "echo still here", schedule="0 3 * * *")
    run = stage.ok("POST", f"jobs/{made}/runs")
    finished(stage, f"jobs/{made}/runs/{run['id']}")

    destroy.destroy(stage.name, data=False)
    assert deploy.find_stack(f"jobyard-{stage.name}") is None
    assert len(deploy.kept_tables(stage.name)) == len(deploy.TABLES)
    assert boto3.client("events").list_rules(NamePrefix=f"jobyard-{stage.name}-job_")["Rules"] == []

    deploy.deploy(stage.name, [], stage.account, stage.made)
    again = deployed(aws, stage.account, stage.made, stage.token, stage.events)
    runs: list[dict[str, Any]] = again.ok("GET", f"jobs/{made}/runs")["runs"]
    assert [(found["id"], found["status"]) for found in runs] == [(run["id"], "succeeded")]
    more = again.ok("POST", f"jobs/{made}/runs")
    done = finished(again, f"jobs/{made}/runs/{more['id']}")
    assert done["status"] == "succeeded", done


def test_the_api_answers_from_a_published_version_with_snapstart(stage: Stage, aws: str) -> None:
    """Each deployment that changes something publishes another; without SnapStart there is none."""

    def changed(*parameters: str) -> list[str]:
        """The function's versions after a deployment after which the API answers."""
        deploy.deploy(stage.name, parameters, stage.account, stage.made)
        # the emulator makes another API when the API's definition changes
        again = deployed(aws, stage.account, stage.made, stage.token, stage.events)
        assert again.ok("GET", "jobs")["jobs"] != []
        name = f"jobyard-{stage.name}-api"
        versions = boto3.client("lambda").list_versions_by_function(FunctionName=name)["Versions"]
        return [one["Version"] for one in versions if one["Version"] != "$LATEST"]

    (first,) = changed("SnapStart=on")
    (second,) = changed("AllowedOrigins=https://app.example.com")
    assert second != first
    assert changed("SnapStart=off", "AllowedOrigins=") == []


def test_nothing_is_left_of_a_stage_that_is_destroyed_with_its_data(stage: Stage) -> None:
    """Only what all stages share stays in the account."""
    assert leftovers(stage) != []
    destroy.destroy(stage.name, data=True)
    assert deploy.kept_tables(stage.name) == []
    # The emulator makes the log group of a function again for the last line of one that just ends.
    output = boto3.client("logs").describe_log_groups(logGroupNamePrefix="/jobyard/")
    assert output["logGroups"] == []
    ecs = boto3.client("ecs")
    assert ecs.list_clusters()["clusterArns"] == []
    assert ecs.list_task_definitions()["taskDefinitionArns"] == []
    assert boto3.client("events").list_rules()["Rules"] == []
    assert boto3.client("lambda").list_functions()["Functions"] == []
