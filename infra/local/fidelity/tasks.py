"""One ECS task as AWS tells it: its states, its timestamps, its JSON and its change events."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

VISIBLE_AFTER_STOP = timedelta(hours=1)
"""DescribeTasks and ListTasks show a stopped task for about an hour (ECS API reference)."""


@dataclass(eq=False)
class Container:
    """One container of a task; `exit_code` stays None until it has exited."""

    arn: str
    name: str
    image: str
    cpu: int
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    runtime_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def as_json(self, task_arn: str) -> dict[str, Any]:
        known = {"exitCode": self.exit_code, "reason": self.reason}
        return {
            "containerArn": self.arn,
            "taskArn": task_arn,
            "name": self.name,
            "image": self.image,
            "runtimeId": self.runtime_id,
            "lastStatus": self.last_status,
            "networkInterfaces": [],
            "healthStatus": "UNKNOWN",
            "cpu": str(self.cpu),
            **{key: value for key, value in known.items() if value is not None},
        }


@dataclass(eq=False)
class Task:
    """A Fargate task. Times are aware; None until AWS would set them."""

    arn: str
    cluster_arn: str
    definition: Any
    """moto's TaskDefinition: `family`, `arn`, `cpu`, `memory`, `container_definitions`."""
    created_at: datetime
    started_by: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    launch_type: str = "FARGATE"
    capacity_provider: str | None = None
    """What RunTask's strategy chose; None where RunTask named a launch type."""
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    version: int = 1
    updated_at: datetime | None = None
    pull_started_at: datetime | None = None
    pull_stopped_at: datetime | None = None
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    execution_stopped_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    containers: list[Container] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.containers = [
            Container(
                arn=f"{self.arn.replace(':task/', ':container/')}/{uuid.uuid4()}",
                name=definition["name"],
                image=definition["image"],
                cpu=definition.get("cpu", 0),
            )
            for definition in self.definition.container_definitions
        ]

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def family(self) -> str:
        return str(self.definition.family)

    @property
    def is_spot(self) -> bool:
        return self.capacity_provider == "FARGATE_SPOT"

    def is_forgotten(self, now: datetime) -> bool:
        """ECS no longer shows it."""
        return self.stopped_at is not None and now - self.stopped_at >= VISIBLE_AFTER_STOP

    def move(self, status: str, now: datetime) -> None:
        """To `lastStatus` `status`; every change counts up the version that events carry."""
        self.last_status = status
        self.version += 1
        self.updated_at = now

    def as_json(self) -> dict[str, Any]:
        """The `Task` structure of the ECS API with datetimes, without tags."""
        times = {
            "createdAt": self.created_at,
            "connectivityAt": self.pull_started_at,
            "pullStartedAt": self.pull_started_at,
            "pullStoppedAt": self.pull_stopped_at,
            "startedAt": self.started_at,
            "stoppingAt": self.stopping_at,
            "executionStoppedAt": self.execution_stopped_at,
            "stoppedAt": self.stopped_at,
        }
        optional = {
            **times,
            "startedBy": self.started_by,
            "capacityProviderName": self.capacity_provider,
            "stopCode": self.stop_code,
            "stoppedReason": self.stopped_reason,
            "connectivity": "CONNECTED" if self.pull_started_at else None,
        }
        return {
            "attachments": [],
            "attributes": [],
            "availabilityZone": f"{self.arn.split(':')[3]}a",
            "clusterArn": self.cluster_arn,
            "containers": [container.as_json(self.arn) for container in self.containers],
            "cpu": str(self.definition.cpu),
            "desiredStatus": self.desired_status,
            "enableExecuteCommand": False,
            "ephemeralStorage": {"sizeInGiB": 20},
            "group": f"family:{self.family}",
            "healthStatus": "UNKNOWN",
            "lastStatus": self.last_status,
            "launchType": self.launch_type,
            "memory": str(self.definition.memory),
            "overrides": {
                "containerOverrides": [{"name": c.name} for c in self.containers],
                "inferenceAcceleratorOverrides": [],
                **self.overrides,
            },
            "platformFamily": "Linux",
            "platformVersion": "1.4.0",
            "taskArn": self.arn,
            "taskDefinitionArn": self.definition.arn,
            "version": self.version,
            **{key: value for key, value in optional.items() if value is not None},
        }

    def as_event(self, now: datetime) -> dict[str, Any]:
        """
        The "ECS Task State Change" event that EventBridge delivers for its present state.

        Shape: ECS developer guide, "Amazon ECS task state change events". Tags are not in it.
        """
        _, _, _, region, account, _ = self.arn.split(":", 5)
        detail = {**self.as_json(), "updatedAt": self.updated_at or self.created_at}
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "ECS Task State Change",
            "source": "aws.ecs",
            "account": account,
            "time": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": region,
            "resources": [self.arn],
            "detail": {key: _event_value(value) for key, value in detail.items()},
        }


def _event_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
