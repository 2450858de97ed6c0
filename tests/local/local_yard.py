"""
The local Fargate over moto for tests, with real processes and containers and log streams in moto.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from infra.local import CAP, fidelity
from infra.local.engines import Engine
from infra.local.fargate import Fargate
from infra.local.fidelity.ecs import EcsFidelity

REGION = "eu-central-1"
GROUP = "/jobyard/test/job"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}


class LocalYard:
    """Registers, runs and watches tasks through boto3, as any user of ECS would."""

    def __init__(self, ecs: EcsFidelity) -> None:
        self.ecs = ecs
        self.left: list[str] = []
        """What may have been left behind, as `Fargate.close` returns it."""
        self.client = lru_cache(lambda service: boto3.client(service, region_name=REGION))
        self.client("ecs").create_cluster(
            clusterName="yard", capacityProviders=["FARGATE", "FARGATE_SPOT"]
        )
        self.client("logs").create_log_group(logGroupName=GROUP)

    def register(self, image: str = "busybox", **container: Any) -> str:
        options = {"awslogs-group": GROUP, "awslogs-region": REGION}
        answer = self.client("ecs").register_task_definition(
            family="job",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu=str(container.pop("cpu", 1024)),
            memory=str(container.pop("memory", 512)),
            containerDefinitions=[
                {
                    "name": "main",
                    "image": image,
                    "stopTimeout": 30,
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {**options, "awslogs-stream-prefix": "run"},
                    },
                    **container,
                }
            ],
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def run(self, *command: str, **container: Any) -> str:
        """Register a task definition, start a task, and return the task's ARN."""
        if command:
            container["command"] = list(command)
        return self.launch(self.register(**container))

    def launch(self, definition: str, **request: Any) -> str:
        if "capacityProviderStrategy" not in request:
            request["launchType"] = "FARGATE"
        answer = self.client("ecs").run_task(
            cluster="yard",
            networkConfiguration=NETWORK,
            taskDefinition=definition,
            **request,
        )
        return str(answer["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        answer = self.client("ecs").describe_tasks(cluster="yard", tasks=[arn])
        return dict(answer["tasks"][0])

    def stop(self, arn: str) -> None:
        self.client("ecs").stop_task(cluster="yard", task=arn, reason="asked to")

    def until(self, arn: str, status: str = "STOPPED", seconds: float = 60) -> dict[str, Any]:
        wait_for(lambda: self.task(arn)["lastStatus"] == status, f"{arn} is {status}", seconds)
        return self.task(arn)

    def finish(self, *command: str, **container: Any) -> dict[str, Any]:
        """Run a task to its end and return it as DescribeTasks shows it."""
        return self.until(self.run(*command, **container))

    def lines(self, arn: str) -> list[str]:
        """Every line of the task's stream."""
        stream = f"run/main/{arn.rsplit('/', 1)[-1]}"
        request = {"logGroupName": GROUP, "logStreamName": stream, "startFromHead": True}
        lines: list[str] = []
        token = None
        while True:
            more: dict[str, Any] = {"nextToken": token} if token else {}
            try:
                page = self.client("logs").get_log_events(**request, **more)
            except self.client("logs").exceptions.ResourceNotFoundException:
                return []  # the task has not started
            lines += [event["message"] for event in page["events"]]
            if page["nextForwardToken"] == token:
                return lines
            token = page["nextForwardToken"]


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 30) -> None:
    """Wait until the condition holds. The time limit only ends a test that would hang."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


@contextmanager
def local_yard(engine: Engine, directory: Path, cap: int = CAP, **more: Any) -> Iterator[LocalYard]:
    """`more`: of Fargate's arguments."""
    with mock_aws(), fidelity.install() as aws:
        yard = LocalYard(aws.ecs)
        fargate = Fargate(aws.ecs, engine, directory, yard.client, cap, **more)
        try:
            yield yard
        finally:
            yard.left = fargate.close()
