"""Runs jobs on Spot in the deployed stage, with its policies, and interrupts them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from tests.deploy.e2e.conftest import Stage
from tests.deploy.e2e.usage import finished, job, wait_for

pytestmark = pytest.mark.usefixtures("verification")
INTERRUPT = "e2e:interrupt"
"""The tag with which emulated.py interrupts a task."""
WAITS = "trap 'echo stopped; exit 0' TERM; echo up; sleep 600 & wait"


def task_of(stage: Stage, arn: str) -> dict[str, Any]:
    ecs: Any = boto3.client("ecs")
    (found,) = ecs.describe_tasks(cluster=f"jobyard-{stage.name}", tasks=[arn])["tasks"]
    return dict(found)


def next_task(stage: Stage, run: str, before: str | None = None) -> dict[str, Any]:
    """The run's task once it runs and is another one than `before`."""

    def look() -> str | None:
        found = stage.ok("GET", run)
        arn = found["task_arn"]
        is_up = arn not in (None, before) and task_of(stage, arn)["lastStatus"] == "RUNNING"
        return str(arn) if is_up else None

    return task_of(stage, wait_for(look, f"another task of {run}", 120))


def test_the_deployed_cluster_has_both_capacity_providers(stage: Stage) -> None:
    """CloudFormation associated them, without a default strategy."""
    (cluster,) = boto3.client("ecs").describe_clusters(clusters=[f"jobyard-{stage.name}"])[
        "clusters"
    ]
    assert sorted(cluster["capacityProviders"]) == ["FARGATE", "FARGATE_SPOT"]
    assert cluster["defaultCapacityProviderStrategy"] == []


def test_a_job_on_spot_runs_on_spot(stage: Stage) -> None:
    """The function's policy allows the launch, and the run says what it ran on."""
    made = job(stage, "on-spot", "echo cheap", capacity="spot")
    run = stage.ok("POST", f"jobs/{made}/runs")
    ended = finished(stage, f"jobs/{made}/runs/{run['id']}")
    assert (ended["status"], ended["capacity"]) == ("succeeded", "spot")
    assert task_of(stage, ended["task_arn"])["capacityProviderName"] == "FARGATE_SPOT"


def test_a_run_that_is_interrupted_twice_goes_on_on_demand(stage: Stage) -> None:
    """Each task that follows is launched by the deployed functions, within the same attempt."""
    made = job(stage, "interrupted", WAITS, capacity="spot_then_on_demand")
    run = f"jobs/{made}/runs/{stage.ok('POST', f'jobs/{made}/runs')['id']}"
    task: dict[str, Any] = {}
    for _ in range(2):
        task = next_task(stage, run, task.get("taskArn"))
        assert task["capacityProviderName"] == "FARGATE_SPOT"
        tag: Any = {"key": INTERRUPT, "value": ""}
        boto3.client("ecs").tag_resource(resourceArn=task["taskArn"], tags=[tag])
    last = next_task(stage, run, task["taskArn"])
    assert last["launchType"] == "FARGATE" and not last.get("capacityProviderName")
    interrupted = task_of(stage, task["taskArn"])
    assert interrupted["stopCode"] == "SpotInterruption"
    assert interrupted["containers"][0]["exitCode"] == 0
    found = stage.ok("GET", run)
    assert (found["status"], found["attempt"]) == ("running", 1)
    assert found["capacity"] == "on_demand"
    stage.ok("POST", f"{run}/cancel")
    assert finished(stage, run)["status"] == "cancelled"
