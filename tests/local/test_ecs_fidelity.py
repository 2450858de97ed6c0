"""What ECS does and moto does not, asked through botocore, which validates the answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.local.fidelity.ecs import NOTHING, EcsError, EcsFidelity, Failure

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, **delta: float) -> None:
        self.time += timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ecs(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[EcsFidelity]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws(), EcsFidelity.install(now=clock) as fidelity:
        client().create_cluster(clusterName="yard")
        yield fidelity


def client() -> Any:
    """Untyped: the requests here are wrong on purpose, or built from parts."""
    return boto3.client("ecs", config=Config(retries={"total_max_attempts": 1}))


def register(**container: Any) -> str:
    definition = client().register_task_definition(
        family="job",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "image": "busybox", **container}],
    )
    return str(definition["taskDefinition"]["taskDefinitionArn"])


def run(**request: Any) -> dict[str, Any]:
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
    if "taskDefinition" not in request:
        request["taskDefinition"] = register()
    answer = client().run_task(
        cluster="yard", launchType="FARGATE", networkConfiguration=network, **request
    )
    return dict(answer)


def launch(**request: Any) -> str:
    return str(run(**request)["tasks"][0]["taskArn"])


def describe(*arns: str, **request: Any) -> dict[str, Any]:
    return dict(client().describe_tasks(cluster="yard", tasks=list(arns), **request))


def refusal(**request: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        run(**request)
    return caught.value


def test_a_task_begins_provisioning_without_an_exit_code(ecs: EcsFidelity) -> None:
    """RunTask answers at once; nothing has happened yet."""
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
    """`executionStoppedAt` is when the container ended, `stoppedAt` when ECS was done."""
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
    """Events carry the task as DescribeTasks shows it, with ISO times and without tags."""
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


def test_the_same_client_token_starts_one_task(ecs: EcsFidelity) -> None:
    """Asking again with the same request answers the task that there is."""
    definition = register()
    first = launch(clientToken="t", taskDefinition=definition)
    assert launch(clientToken="t", taskDefinition=definition) == first
    assert launch(clientToken="u", taskDefinition=definition) != first
    assert len(ecs.tasks) == 2


def test_a_token_with_other_parameters_is_a_conflict_that_names_the_task(ecs: EcsFidelity) -> None:
    """ConflictException carries the ARNs in `resourceIds`."""
    definition = register()
    arn = launch(clientToken="t", taskDefinition=definition)
    error = refusal(clientToken="t", taskDefinition=definition, startedBy="someone")
    assert error.response["Error"]["Code"] == "ConflictException"
    assert dict(error.response)["resourceIds"] == [arn]
    assert len(ecs.tasks) == 1


def test_a_token_of_a_stopped_task_answers_statuses_and_expires_an_hour_later(
    ecs: EcsFidelity, clock: Clock
) -> None:
    """The token lives as long as its task and one hour more; then it starts a second task."""
    definition = register()
    arn = launch(clientToken="t", taskDefinition=definition)
    ecs.stop(arn)
    clock.pass_(minutes=59)
    task = run(clientToken="t", taskDefinition=definition)["tasks"][0]
    assert task == {"taskArn": arn, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}
    clock.pass_(minutes=1)
    assert launch(clientToken="t", taskDefinition=definition) != arn


def test_a_token_expires_after_a_day_though_its_task_runs(ecs: EcsFidelity, clock: Clock) -> None:
    """The lower of 24 hours and the task's life plus one hour."""
    definition = register()
    arn = launch(clientToken="t", taskDefinition=definition)
    ecs.start(arn)
    clock.pass_(hours=24)
    assert launch(clientToken="t", taskDefinition=definition) != arn


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
    """One bad ARN does not spoil the answer for the others."""
    arn = launch()
    answer = describe(arn, arn[:-4] + "0000")
    assert [task["taskArn"] for task in answer["tasks"]] == [arn]
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


def test_a_task_may_be_missing_right_after_its_launch(ecs: EcsFidelity, clock: Clock) -> None:
    """ECS is eventually consistent; a test may widen that moment."""
    ecs.visible_after = timedelta(seconds=30)
    arn = launch()
    assert describe(arn)["failures"] == [{"arn": arn, "reason": "MISSING"}]
    clock.pass_(seconds=30)
    assert describe(arn)["tasks"][0]["taskArn"] == arn


def test_stop_asks_first_and_the_task_ends_later(ecs: EcsFidelity) -> None:
    """StopTask sets what is desired; the container still runs until it has ended."""
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
    """There was no container to give one."""
    arn = launch()
    client().stop_task(cluster="yard", task=arn)
    ecs.stop(arn)
    task = describe(arn)["tasks"][0]
    assert "exitCode" not in task["containers"][0]
    assert "startedAt" not in task


def test_stopping_an_unknown_task_is_an_error(ecs: EcsFidelity) -> None:
    """InvalidParameterException, with ECS's words."""
    with pytest.raises(ClientError, match=r"The referenced task was not found\.") as caught:
        client().stop_task(cluster="yard", task="0" * 32)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_a_start_that_fails_has_a_reason_and_no_exit_code(ecs: EcsFidelity) -> None:
    """TaskFailedToStart is how a failed pull looks."""
    arn = launch()
    ecs.fail_to_start(arn, "CannotPullContainerError: not found")
    task = describe(arn)["tasks"][0]
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == "CannotPullContainerError: not found"
    assert "exitCode" not in task["containers"][0]


def test_an_end_by_infrastructure_leaves_the_exit_code_out(ecs: EcsFidelity) -> None:
    """Absent is not zero."""
    arn = launch()
    ecs.start(arn)
    ecs.stop(arn, exit_code=None, stop_code="SpotInterruption", stopped_reason="taken away")
    task = describe(arn)["tasks"][0]
    assert task["stopCode"] == "SpotInterruption"
    assert "exitCode" not in task["containers"][0]


def test_run_task_can_answer_with_a_failure_or_with_nothing_or_an_error(ecs: EcsFidelity) -> None:
    """In that order, once each, and then it works; no task was made meanwhile."""
    ecs.refuse_next(Failure("RESOURCE:ENI"))
    ecs.refuse_next(NOTHING)
    ecs.refuse_next(EcsError("ThrottlingException", "Rate exceeded"))
    definition = register()
    answer = run(taskDefinition=definition)
    assert (answer["tasks"], answer["failures"]) == ([], [{"reason": "RESOURCE:ENI"}])
    answer = run(taskDefinition=definition)
    assert (answer["tasks"], answer["failures"]) == ([], [])
    assert refusal(taskDefinition=definition).response["Error"]["Code"] == "ThrottlingException"
    assert ecs.tasks == []
    assert launch(taskDefinition=definition)


def test_other_operations_can_be_refused_too(ecs: EcsFidelity) -> None:
    """A throttled DescribeTasks is what a sweep has to survive."""
    arn = launch()
    ecs.refuse_next(EcsError("ServerException", "Service Unavailable"), operation="DescribeTasks")
    with pytest.raises(ClientError, match="Service Unavailable"):
        client().describe_tasks(cluster="yard", tasks=[arn])
    assert describe(arn)["tasks"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"startedBy": "no spaces"}, "startedBy"),
        ({"startedBy": "x" * 129}, "startedBy"),
        ({"clientToken": "x" * 65}, "clientToken"),
        ({"tags": [{"key": "aws:mine", "value": ""}]}, "Invalid tag key"),
        ({"tags": [{"key": f"k{n}", "value": ""} for n in range(51)]}, "Too many tags"),
        ({"tags": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}, "Duplicate tag keys"),
        (
            {"overrides": {"containerOverrides": [{"name": "main", "command": ["x" * 8192]}]}},
            "Container Overrides length must be at most 8192",
        ),
        ({"overrides": {"containerOverrides": [{"name": "other"}]}}, "not a container"),
        ({"propagateTags": "SERVICE"}, "SERVICE"),
    ],
)
def test_what_ecs_refuses_is_refused(
    ecs: EcsFidelity, request_: dict[str, Any], message: str
) -> None:
    """Each limit of RunTask is an InvalidParameterException, and nothing starts."""
    error = refusal(**request_)
    assert error.response["Error"]["Code"] == "InvalidParameterException"
    assert message in error.response["Error"]["Message"]
    assert ecs.tasks == []


def tagged(**tags: str) -> str:
    """A task definition with these tags."""
    definition = client().register_task_definition(
        family="tagged",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "image": "busybox"}],
        tags=[{"key": key, "value": value} for key, value in tags.items()],
    )
    return str(definition["taskDefinition"]["taskDefinitionArn"])


def test_a_task_has_its_definitions_tags_only_where_they_are_propagated(ecs: EcsFidelity) -> None:
    """Besides those of the request; RunTask's answer and DescribeTasks show them."""
    definition, own = tagged(job="1"), [{"key": "team", "value": "data"}]
    plain = run(taskDefinition=definition, tags=own)["tasks"][0]
    assert plain["tags"] == own
    task = run(taskDefinition=definition, tags=own, propagateTags="TASK_DEFINITION")["tasks"][0]
    assert task["tags"] == [*own, {"key": "job", "value": "1"}]
    shown = describe(task["taskArn"], include=["TAGS"])["tasks"][0]
    assert shown["tags"] == task["tags"]


def test_a_tag_that_is_given_both_ways_is_refused(ecs: EcsFidelity) -> None:
    """AWS does not say which value it would have; and both together may be 50."""
    twice = {"taskDefinition": tagged(job="1"), "propagateTags": "TASK_DEFINITION"}
    error = refusal(**twice, tags=[{"key": "job", "value": "2"}]).response["Error"]
    assert "Duplicate tag keys" in error["Message"]
    many = [{"key": f"k{n}", "value": ""} for n in range(50)]
    error = refusal(**twice, tags=many).response["Error"]
    assert "Too many tags" in error["Message"]
    assert ecs.tasks == []


def test_an_inactive_task_definition_cannot_be_launched(ecs: EcsFidelity) -> None:
    """moto would run it."""
    arn = register()
    client().deregister_task_definition(taskDefinition=arn)
    error = refusal(taskDefinition=arn).response["Error"]
    assert (error["Code"], error["Message"]) == ("ClientException", "TaskDefinition is inactive")


def test_an_unknown_definition_and_an_unknown_cluster_are_errors(ecs: EcsFidelity) -> None:
    """ClientException and ClusterNotFoundException."""
    assert refusal(taskDefinition="none:1").response["Error"]["Code"] == "ClientException"
    with pytest.raises(ClientError) as caught:
        client().run_task(cluster="none", taskDefinition=register())
    assert caught.value.response["Error"]["Code"] == "ClusterNotFoundException"


def test_list_tasks_shows_what_should_run_by_who_started_it(ecs: EcsFidelity) -> None:
    """Desired RUNNING unless asked otherwise; `startedBy` allows no other filter."""
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
    """Every task once, over as many pages as it takes."""
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


def test_a_hundred_tasks_are_the_most_that_one_describe_takes(ecs: EcsFidelity) -> None:
    """A caller has to ask in hundreds."""
    with pytest.raises(ClientError) as caught:
        describe(*["0" * 32] * 101)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_the_event_may_come_before_the_answer(ecs: EcsFidelity) -> None:
    """A subscriber that asks about the task at once sees it: the race is there on AWS too."""
    seen: list[str] = []

    def look(event: dict[str, Any]) -> None:
        seen.append(describe(event["resources"][0])["tasks"][0]["lastStatus"])

    ecs.subscribe(look)
    launch()
    assert seen == ["PROVISIONING"]


def test_moto_has_its_own_operations_back_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installing leaves nothing behind, and a second install replaces the first."""
    from moto.ecs.responses import EC2ContainerServiceResponse

    original = EC2ContainerServiceResponse.run_task
    first = EcsFidelity.install()
    second = EcsFidelity.install()
    first.uninstall()
    assert EC2ContainerServiceResponse.run_task is not original
    second.uninstall()
    assert EC2ContainerServiceResponse.run_task is original
