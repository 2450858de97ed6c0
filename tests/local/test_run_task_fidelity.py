"""What RunTask does and moto does not: client tokens, refusals, limits and tags."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.fidelity.ecs import NOTHING, EcsError, EcsFidelity, Failure
from tests.local.ecs_requests import Clock, client, describe, launch, refusal, register, run


def test_the_same_client_token_starts_one_task(ecs: EcsFidelity) -> None:
    """A repeated request gets the existing task."""
    definition = register()
    first = launch(clientToken="t", taskDefinition=definition)
    assert launch(clientToken="t", taskDefinition=definition) == first
    assert launch(clientToken="u", taskDefinition=definition) != first
    assert len(ecs.tasks) == 2


def test_a_token_with_other_parameters_is_a_conflict_that_names_the_task(ecs: EcsFidelity) -> None:
    """ConflictException has the ARNs in `resourceIds`."""
    definition = register()
    arn = launch(clientToken="t", taskDefinition=definition)
    error = refusal(clientToken="t", taskDefinition=definition, startedBy="someone")
    assert error.response["Error"]["Code"] == "ConflictException"
    assert dict(error.response)["resourceIds"] == [arn]
    assert len(ecs.tasks) == 1


def test_a_token_of_a_stopped_task_answers_statuses_and_expires_an_hour_later(
    ecs: EcsFidelity, clock: Clock
) -> None:
    """
    The token is valid for the life of its task and one more hour; then it starts a second task.
    """
    definition = register()
    arn = launch(clientToken="t", taskDefinition=definition)
    ecs.stop(arn)
    clock.pass_(minutes=59)
    task = run(clientToken="t", taskDefinition=definition)["tasks"][0]
    assert task == {"taskArn": arn, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}
    clock.pass_(minutes=1)
    assert launch(clientToken="t", taskDefinition=definition) != arn


def test_a_token_expires_after_a_day_though_its_task_runs(ecs: EcsFidelity, clock: Clock) -> None:
    """A token is valid for 24 hours, or the task's life and one hour if that is less."""
    definition = register()
    arn = launch(clientToken="t", taskDefinition=definition)
    ecs.start(arn)
    clock.pass_(hours=24)
    assert launch(clientToken="t", taskDefinition=definition) != arn


def test_run_task_can_answer_with_a_failure_or_with_nothing_or_an_error(ecs: EcsFidelity) -> None:
    """Each set refusal is answered once, in order, without a task; then RunTask works again."""
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
    """The sweep, for example, must handle a throttled DescribeTasks."""
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
def test_requests_that_ecs_refuses_are_refused(
    ecs: EcsFidelity, request_: dict[str, Any], message: str
) -> None:
    """Each limit of RunTask is an InvalidParameterException, and nothing starts."""
    error = refusal(**request_)
    assert error.response["Error"]["Code"] == "InvalidParameterException"
    assert message in error.response["Error"]["Message"]
    assert ecs.tasks == []


def tagged(**tags: str) -> str:
    """Register a task definition with these tags."""
    return register("tagged", tags)


def test_a_task_has_its_definitions_tags_only_where_they_are_propagated(ecs: EcsFidelity) -> None:
    """They are added to the request's tags; RunTask's answer and DescribeTasks show both."""
    definition, own = tagged(job="1"), [{"key": "team", "value": "data"}]
    plain = run(taskDefinition=definition, tags=own)["tasks"][0]
    assert plain["tags"] == own
    task = run(taskDefinition=definition, tags=own, propagateTags="TASK_DEFINITION")["tasks"][0]
    assert task["tags"] == [*own, {"key": "job", "value": "1"}]
    shown = describe(task["taskArn"], include=["TAGS"])["tasks"][0]
    assert shown["tags"] == task["tags"]


def test_a_tag_that_is_given_both_ways_is_refused(ecs: EcsFidelity) -> None:
    """AWS does not document which value would count; both together may have 50 tags."""
    twice = {"taskDefinition": tagged(job="1"), "propagateTags": "TASK_DEFINITION"}
    error = refusal(**twice, tags=[{"key": "job", "value": "2"}]).response["Error"]
    assert "Duplicate tag keys" in error["Message"]
    many = [{"key": f"k{n}", "value": ""} for n in range(50)]
    error = refusal(**twice, tags=many).response["Error"]
    assert "Too many tags" in error["Message"]
    assert ecs.tasks == []


def test_an_inactive_task_definition_cannot_be_launched(ecs: EcsFidelity) -> None:
    """moto alone would run it."""
    arn = register()
    client().deregister_task_definition(taskDefinition=arn)
    error = refusal(taskDefinition=arn).response["Error"]
    assert (error["Code"], error["Message"]) == ("ClientException", "TaskDefinition is inactive")


def test_an_unknown_definition_and_an_unknown_cluster_are_errors(ecs: EcsFidelity) -> None:
    """They are ClientException and ClusterNotFoundException."""
    assert refusal(taskDefinition="none:1").response["Error"]["Code"] == "ClientException"
    with pytest.raises(ClientError) as caught:
        client().run_task(cluster="none", taskDefinition=register())
    assert caught.value.response["Error"]["Code"] == "ClusterNotFoundException"
