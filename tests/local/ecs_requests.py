"""Requests to ECS through botocore, which validates the answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

PROVIDERS = ["FARGATE", "FARGATE_SPOT"]
"""Those of the stack's cluster."""
ON_SPOT = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
"""Of a RunTask request, in place of a launch type."""
START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, **delta: float) -> None:
        self.time += timedelta(**delta)


def client() -> Any:
    """An untyped client, because some requests are wrong on purpose or built from parts."""
    return boto3.client("ecs", config=Config(retries={"total_max_attempts": 1}))


def register(family: str = "job", tags: Mapping[str, str] | None = None, **container: Any) -> str:
    """Register a task definition with one busybox container and return its ARN."""
    definition = client().register_task_definition(
        family=family,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "image": "busybox", **container}],
        tags=[{"key": key, "value": value} for key, value in (tags or {}).items()],
    )
    return str(definition["taskDefinition"]["taskDefinitionArn"])


def run(**request: Any) -> dict[str, Any]:
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
    if "taskDefinition" not in request:
        request["taskDefinition"] = register()
    if "capacityProviderStrategy" not in request:
        request["launchType"] = "FARGATE"
    request = {"cluster": "yard", **request}
    return dict(client().run_task(networkConfiguration=network, **request))


def launch(**request: Any) -> str:
    return str(run(**request)["tasks"][0]["taskArn"])


def describe(*arns: str, **request: Any) -> dict[str, Any]:
    return dict(client().describe_tasks(cluster="yard", tasks=list(arns), **request))


def refusal(**request: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        run(**request)
    return caught.value
