"""What ECS does with tasks and moto does not: states, events, ends and lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.fidelity.ecs import EcsFidelity
from tests.local.ecs_requests import START, Clock, client, describe, launch, register, run


def test_a_task_begins_provisioning_without_an_exit_code(ecs: EcsFidelity) -> None:
    """RunTask answers at once; the task has not started yet."""
    task = run(startedBy="job/run/1")["tasks"][0]
    assert task["lastStatus"] == "PROVISIONING"
    assert task["desiredStatus"] == "RUNNING"
    assert task["startedBy"] == "job/run/1"
    assert task["createdAt"] == START
    assert task["version"] == 1
    assert task["containers"][0]["lastStatus"] == "PENDING"
    assert not {"exitCode", "reason"} & set(task["containers"][0])
    assert not {"startedAt", "stoppedAt", "stopCode", "stoppedReason"} & set(task)


def test_a_task_that_exits_shows_its_code_its_stop_code_and_its_times(
    ecs: EcsFidelity, clock: Clock
) -> None:
    """`executionStoppedAt` is when the container ended, `stoppedAt` when ECS had finished."""
    arn = launch()
    clock.pass_(seconds=20)
    ecs.start(arn)
    clock.pass_(seconds=5)
    ecs.stop(arn, exit_code=3)
    task = describe(arn)["tasks"][0]
    assert task["lastStatus"] == task["desiredStatus"] == "STOPPED"
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 3
    assert task["startedAt"] == START + timedelta(seconds=20)
    assert task["executionStoppedAt"] == START + timedelta(seconds=25)
    assert task["stoppedAt"] >= task["executionStoppedAt"]


def test_every_change_is_an_event_with_a_greater_version(ecs: EcsFidelity) -> None:
    """An event has the task as DescribeTasks shows it, with ISO times and without tags."""
    events: list[dict[str, Any]] = []
    ecs.subscribe(events.append)
    overrides = {"containerOverrides": [{"name": "main", "command": ["true"]}]}
    arn = launch(
        startedBy="job/run/1", overrides=overrides, tags=[{"key": "team", "value": "data"}]
    )
    ecs.start(arn)
    ecs.stop(arn)
    details = [event["detail"] for event in events]
    assert [detail["lastStatus"] for detail in details] == [
        "PROVISIONING",
        "PENDING",
        "RUNNING",
        "DEPROVISIONING",
        "STOPPED",
    ]
    assert [detail["version"] for detail in details] == [1, 2, 3, 4, 5]
    last = events[-1]
    assert last["source"] == "aws.ecs"
    assert last["detail-type"] == "ECS Task State Change"
    assert last["region"] == "eu-central-1"
    assert last["resources"] == [arn]
    assert last["detail"]["startedBy"] == "job/run/1"
    assert last["detail"]["overrides"]["containerOverrides"] == overrides["containerOverrides"]
    assert last["detail"]["stoppedAt"] == "2026-11-23T03:00:00.000Z"
    assert last["detail"]["containers"][0]["exitCode"] == 0
    assert "tags" not in last["detail"]


def test_a_stopped_task_is_missing_after_an_hour(ecs: EcsFidelity, clock: Clock) -> None:
    """MISSING is an entry in `failures`, not an error."""
    arn = launch()
    ecs.stop(arn)
    clock.pass_(minutes=59)
    assert describe(arn)["failures"] == []
    clock.pass_(minutes=1)
    assert describe(arn)["tasks"] == []
    assert describe(arn)["failures"] == [{"arn": arn, "reason": "MISSING"}]


def test_an_unknown_task_is_missing_beside_one_that_is_there(ecs: EcsFidelity) -> None:
    """One unknown ARN does not change the answer for the others."""
    arn = launch()
    answer = describe(arn, arn[:-4] + "0000")
    assert [task["taskArn"] for task in answer["tasks"]] == [arn]
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


def test_a_task_may_be_missing_right_after_its_launch(ecs: EcsFidelity, clock: Clock) -> None:
    """ECS is eventually consistent; a test may make that moment longer."""
    ecs.visible_after = timedelta(seconds=30)
    arn = launch()
    assert describe(arn)["failures"] == [{"arn": arn, "reason": "MISSING"}]
    clock.pass_(seconds=30)
    assert describe(arn)["tasks"][0]["taskArn"] == arn


def test_stop_task_answers_before_the_task_has_stopped(ecs: EcsFidelity) -> None:
    """StopTask sets the desired status; the container runs on until it ends."""
    arn = launch(tags=[{"key": "team", "value": "data"}])
    ecs.start(arn)
    asked: list[str] = []
    ecs.on_stop.append(lambda task: asked.append(task.arn))
    api = client()
    for _ in range(2):
        task = api.stop_task(cluster="yard", task=arn, reason="because")["task"]
    assert (task["lastStatus"], task["desiredStatus"]) == ("RUNNING", "STOPPED")
    assert asked == [arn]
    ecs.stop(arn, exit_code=143)
    task = describe(arn, include=["TAGS"])["tasks"][0]
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "because")
    assert task["containers"][0]["exitCode"] == 143
    assert task["tags"] == []


def test_a_task_stopped_before_it_ran_has_no_exit_code(ecs: EcsFidelity) -> None:
    """No container ran, so none has an exit code."""
    arn = launch()
    client().stop_task(cluster="yard", task=arn)
    ecs.stop(arn)
    task = describe(arn)["tasks"][0]
    assert "exitCode" not in task["containers"][0]
    assert "startedAt" not in task


def test_stopping_an_unknown_task_is_an_error(ecs: EcsFidelity) -> None:
    """The error is an InvalidParameterException with ECS's message."""
    with pytest.raises(ClientError, match=r"The referenced task was not found\.") as caught:
        client().stop_task(cluster="yard", task="0" * 32)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_a_start_that_fails_has_a_reason_and_no_exit_code(ecs: EcsFidelity) -> None:
    """A failed pull looks like this: TaskFailedToStart."""
    arn = launch()
    ecs.fail_to_start(arn, "CannotPullContainerError: not found")
    task = describe(arn)["tasks"][0]
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == "CannotPullContainerError: not found"
    assert "exitCode" not in task["containers"][0]


def test_an_end_by_infrastructure_leaves_the_exit_code_out(ecs: EcsFidelity) -> None:
    """An absent exit code is not 0."""
    arn = launch()
    ecs.start(arn)
    ecs.stop(arn, exit_code=None, stop_code="SpotInterruption", stopped_reason="taken away")
    task = describe(arn)["tasks"][0]
    assert task["stopCode"] == "SpotInterruption"
    assert "exitCode" not in task["containers"][0]


def test_list_tasks_shows_what_should_run_by_who_started_it(ecs: EcsFidelity) -> None:
    """It lists the desired status RUNNING by default, and `startedBy` allows no other filter."""
    mine, other = launch(startedBy="a/b/1"), launch(startedBy="a/b/2")
    api = client()
    assert api.list_tasks(cluster="yard", startedBy="a/b/1")["taskArns"] == [mine]
    api.stop_task(cluster="yard", task=mine)
    assert api.list_tasks(cluster="yard", startedBy="a/b/1")["taskArns"] == []
    assert api.list_tasks(cluster="yard")["taskArns"] == [other]
    stopped = api.list_tasks(cluster="yard", family="job", desiredStatus="STOPPED")
    assert stopped["taskArns"] == [mine]
    with pytest.raises(ClientError, match="startedBy"):
        api.list_tasks(cluster="yard", startedBy="a/b/1", family="job")


def test_list_tasks_pages(ecs: EcsFidelity) -> None:
    """The pages together list every task once."""
    definition = register()
    arns = [arn for _ in range(3) for arn in _launch_ten(definition)]
    pages = (
        client()
        .get_paginator("list_tasks")
        .paginate(cluster="yard", PaginationConfig={"PageSize": 7})
    )
    sizes = [page["taskArns"] for page in pages]
    assert [arn for page in sizes for arn in page] == arns
    assert len(sizes) == 5


def _launch_ten(definition: str) -> list[str]:
    return [task["taskArn"] for task in run(taskDefinition=definition, count=10)["tasks"]]


def test_describe_tasks_takes_100_tasks_at_most(ecs: EcsFidelity) -> None:
    """DescribeTasks takes at most 100 tasks, so callers must send several requests."""
    with pytest.raises(ClientError) as caught:
        describe(*["0" * 32] * 101)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_an_event_may_come_before_run_task_answers(ecs: EcsFidelity) -> None:
    """A subscriber that describes the task at once sees it; AWS has the same race."""
    seen: list[str] = []

    def look(event: dict[str, Any]) -> None:
        seen.append(describe(event["resources"][0])["tasks"][0]["lastStatus"])

    ecs.subscribe(look)
    launch()
    assert seen == ["PROVISIONING"]


def test_moto_has_its_own_operations_back_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uninstalling leaves nothing behind, and a second install replaces the first."""
    from moto.ecs.responses import EC2ContainerServiceResponse

    original = EC2ContainerServiceResponse.run_task
    first = EcsFidelity.install()
    second = EcsFidelity.install()
    first.uninstall()
    assert EC2ContainerServiceResponse.run_task is not original
    second.uninstall()
    assert EC2ContainerServiceResponse.run_task is original
