"""What lives outside CloudFormation is drained: all of this stage, nothing of another."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from infra import destroy
from infra.account import Refused
from infra.deploy import kept_tables
from tests.deploy.world import World


def test_rules_of_the_stage_go_and_those_of_another_stay(world: World) -> None:
    """A rule with targets cannot be deleted, so its targets go first."""
    world.rule("dev")
    world.rule("dev-2")
    assert destroy.remove_rules("dev") == 1
    left = [rule["Name"] for rule in boto3.client("events").list_rules()["Rules"]]
    assert left == ["jobyard-dev-2-job_1-0"]


def test_tasks_of_the_stages_cluster_are_stopped(world: World) -> None:
    """A cluster with tasks does not delete."""
    world.task("dev")
    other = world.task("prod")
    assert destroy.stop_tasks("dev") == 1
    running = boto3.client("ecs").list_tasks(cluster="jobyard-prod")["taskArns"]
    assert running == [other]


def test_a_stage_without_a_cluster_has_no_tasks(world: World) -> None:
    """A second destroy, after a first one that came this far, goes on."""
    assert destroy.stop_tasks("dev") == 0


def test_every_revision_of_the_stages_families_is_deleted(world: World) -> None:
    """Active and inactive ones: a job's env values are in them."""
    world.definition("dev")
    ecs: Any = boto3.client("ecs")
    ecs.deregister_task_definition(taskDefinition=world.definition("dev"))
    other = world.definition("dev-2")
    assert destroy.delete_task_definitions("dev") == 1
    left = [
        arn
        for status in ("ACTIVE", "INACTIVE")
        for arn in ecs.list_task_definitions(status=status)["taskDefinitionArns"]
    ]
    assert left == [other]


def test_output_of_the_stages_containers_is_deleted(world: World) -> None:
    """Jobyard's own logs are the stack's, and go with it."""
    for name in ("/jobyard/dev/job_1", "/jobyard/dev-2/job_1", "/aws/lambda/jobyard-dev"):
        boto3.client("logs").create_log_group(logGroupName=name)
    assert destroy.delete_log_groups("dev") == 1
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == [
        "/aws/lambda/jobyard-dev",
        "/jobyard/dev-2/job_1",
    ]


def test_tables_are_deleted_although_they_are_protected(world: World) -> None:
    """Their protection is for everybody but this."""
    world.tables("dev")
    world.tables("dev-2")
    assert destroy.delete_tables("dev") == 3
    assert kept_tables("dev") == []
    assert len(kept_tables("dev-2")) == 3


def test_without_being_told_data_stays(world: World) -> None:
    """Tables, task definitions and output: `make deploy` takes them over again."""
    world.tables("dev")
    world.definition("dev")
    world.rule("dev")
    boto3.client("logs").create_log_group(logGroupName="/jobyard/dev/job_1")
    destroy.destroy("dev", data=False)
    assert len(kept_tables("dev")) == 3
    assert boto3.client("events").list_rules()["Rules"] == []
    assert boto3.client("logs").describe_log_groups()["logGroups"] != []
    assert boto3.client("ecs").list_task_definitions()["taskDefinitionArns"] != []


@pytest.mark.parametrize(("answer", "goes_on"), [("dev", True), ("dev-2", False), (None, False)])
def test_data_goes_only_when_the_stage_is_named_again(
    monkeypatch: pytest.MonkeyPatch, answer: str | None, goes_on: bool
) -> None:
    """By hand or in CONFIRM; a script without either deletes nothing."""
    monkeypatch.delenv("CONFIRM", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    if answer is not None:
        monkeypatch.setenv("CONFIRM", answer)
    if goes_on:
        destroy.confirm("dev")
    else:
        with pytest.raises(Refused, match="not confirmed"):
            destroy.confirm("dev")
