"""RunTask with a capacity provider, and how ECS takes Spot capacity back, in moto's place."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.fidelity.ecs import EcsFidelity
from tests.local.ecs_requests import (
    ON_SPOT,
    Clock,
    client,
    describe,
    launch,
    refusal,
    register,
    run,
)


def strategy(provider: str, **more: Any) -> dict[str, Any]:
    return {"capacityProviderStrategy": [{"capacityProvider": provider, "weight": 1, **more}]}


def test_a_task_says_which_provider_it_runs_on(ecs: EcsFidelity) -> None:
    """RunTask, DescribeTasks and the events name it; a launch type alone names none."""
    events: list[dict[str, Any]] = []
    ecs.subscribe(events.append)
    started = run(**ON_SPOT)["tasks"][0]
    shown = describe(started["taskArn"])["tasks"][0]
    told = events[-1]["detail"]
    assert {task["capacityProviderName"] for task in (started, shown, told)} == {"FARGATE_SPOT"}
    assert {task["launchType"] for task in (started, shown, told)} == {"FARGATE"}
    assert run(**strategy("FARGATE"))["tasks"][0]["capacityProviderName"] == "FARGATE"
    assert "capacityProviderName" not in run()["tasks"][0]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({**ON_SPOT, "launchType": "FARGATE"}, "Specifying both a launch type and capacity prov"),
        (strategy("SPOT"), "The specified capacity provider was not found."),
        (strategy("FARGATE_SPOT", weight=0), "of a weight greater than zero"),
        (
            {"capacityProviderStrategy": [*ON_SPOT["capacityProviderStrategy"]] * 2},
            "a strategy has one capacity provider",
        ),
    ],
)
def test_a_wrong_strategy_is_refused(
    ecs: EcsFidelity, request_: dict[str, Any], message: str
) -> None:
    """The first two messages are ECS's own; ECS documents less of the other two."""
    error = refusal(**request_).response["Error"]
    assert error["Code"] == "InvalidParameterException"
    assert message in error["Message"]
    assert ecs.tasks == []


def test_a_cluster_without_the_provider_starts_no_task_on_it(ecs: EcsFidelity) -> None:
    """A cluster that was made without capacity providers has none."""
    client().create_cluster(clusterName="bare")
    error = refusal(cluster="bare", **ON_SPOT).response["Error"]
    assert error["Code"] == "InvalidParameterException"
    assert "that is not associated with the cluster" in error["Message"]
    assert run(cluster="bare")["tasks"]
    client().put_cluster_capacity_providers(
        cluster="bare", capacityProviders=["FARGATE_SPOT"], defaultCapacityProviderStrategy=[]
    )
    assert run(cluster="bare", **ON_SPOT)["tasks"]


@pytest.mark.parametrize(("first", "second"), [(ON_SPOT, {}), ({}, ON_SPOT)])
def test_a_token_of_another_capacity_is_a_conflict(
    ecs: EcsFidelity, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """The capacity is one of the parameters that a repeated request must not change."""
    definition = register()
    arn = launch(clientToken="t", taskDefinition=definition, **first)
    assert launch(clientToken="t", taskDefinition=definition, **first) == arn
    error = refusal(clientToken="t", taskDefinition=definition, **second)
    assert error.response["Error"]["Code"] == "ConflictException"
    assert dict(error.response)["resourceIds"] == [arn]
    assert len(ecs.tasks) == 1


def test_without_spot_capacity_only_spot_is_refused(ecs: EcsFidelity) -> None:
    """RunTask answers a failure and starts no task; the same token works once there is some."""
    ecs.has_spot_capacity = False
    request = {"taskDefinition": register(), "clientToken": "t", **ON_SPOT}
    answer = run(**request)
    assert answer["tasks"] == []
    assert answer["failures"][0]["reason"].startswith("Capacity is unavailable at this time.")
    assert run()["tasks"]
    ecs.has_spot_capacity = True
    assert run(**request)["tasks"]


def test_an_interruption_is_announced_before_the_task_stops(ecs: EcsFidelity, clock: Clock) -> None:
    """The first event shows it RUNNING and to be stopped, the last the container's exit code."""
    asked: list[str] = []
    ecs.on_stop.append(lambda task: asked.append(task.arn))
    arn = launch(**ON_SPOT)
    ecs.start(arn)
    events: list[dict[str, Any]] = []
    ecs.subscribe(events.append)
    ecs.interrupt(arn)
    ecs.interrupt(arn)
    assert asked == [arn]
    warning = events[0]["detail"]
    assert (warning["lastStatus"], warning["desiredStatus"]) == ("RUNNING", "STOPPED")
    clock.pass_(seconds=30)
    ecs.stop(arn, exit_code=143)
    assert [event["detail"]["lastStatus"] for event in events] == [
        "RUNNING",
        "DEPROVISIONING",
        "STOPPED",
    ]
    for task in (*(event["detail"] for event in events), describe(arn)["tasks"][0]):
        assert task["stopCode"] == "SpotInterruption"
        assert task["stoppedReason"] == "Your Spot Task was interrupted."
    assert events[-1]["detail"]["containers"][0]["exitCode"] == 143


def test_stopping_an_interrupted_task_does_not_change_why_it_stops(ecs: EcsFidelity) -> None:
    """StopTask on a task that stops already does nothing."""
    arn = launch(**ON_SPOT)
    ecs.start(arn)
    ecs.interrupt(arn)
    client().stop_task(cluster="yard", task=arn, reason="cancelled")
    ecs.stop(arn, exit_code=0)
    assert describe(arn)["tasks"][0]["stopCode"] == "SpotInterruption"


def test_only_a_task_on_spot_can_be_interrupted(ecs: EcsFidelity) -> None:
    """A test that interrupts another one has made a mistake."""
    for request in ({}, strategy("FARGATE")):
        with pytest.raises(ValueError, match="not on Fargate Spot"):
            ecs.interrupt(launch(**request))
