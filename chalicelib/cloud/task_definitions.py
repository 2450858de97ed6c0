"""A job as RegisterTaskDefinition takes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.domain.ecs_task import CONTAINER
from chalicelib.settings import STAGE_TAG, Settings

MAX_BYTES = 60_000
"""Of a rendered task definition; ECS takes 64 KB."""
STOP_TIMEOUT = 30
"""Seconds from SIGTERM to SIGKILL."""

_FARGATE_ARCHITECTURE = {"x86_64": "X86_64", "arm64": "ARM64"}


def render(job_id: str, spec: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The arguments of RegisterTaskDefinition for a job; `spec` is a stored JobSpec."""
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": spec["image"],
        "essential": True,
        "environment": [{"name": k, "value": v} for k, v in sorted(spec["env"].items())],
        "secrets": [{"name": k, "valueFrom": v} for k, v in sorted(spec["secrets"].items())],
        "stopTimeout": STOP_TIMEOUT,
        # an init reaps what the command leaves behind and passes signals on
        "linuxParameters": {"initProcessEnabled": True},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": settings.log_group(job_id),
                "awslogs-region": settings.region,
                "awslogs-stream-prefix": "run",
                # see docs/decisions/0004: a slow CloudWatch must not stop the command
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
    }
    if spec["entrypoint"] is not None:
        container["entryPoint"] = spec["entrypoint"]
    if spec["command"] is not None:
        container["command"] = spec["command"]
    definition = {
        "family": settings.family(job_id),
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": str(round(spec["cpu"] * 1024)),
        "memory": str(spec["memory_mib"]),
        "runtimePlatform": {
            "cpuArchitecture": _FARGATE_ARCHITECTURE[spec["architecture"]],
            "operatingSystemFamily": "LINUX",
        },
        "executionRoleArn": settings.execution_role_arn,
        "containerDefinitions": [container],
        "tags": [
            {"key": STAGE_TAG, "value": settings.stage},
            {"key": "jobyard:job", "value": job_id},
        ],
    }
    role = spec["task_role_arn"] or settings.default_task_role_arn
    if role is not None:
        definition["taskRoleArn"] = role
    return definition


def size(definition: Mapping[str, Any]) -> int:
    """Bytes of a rendered task definition."""
    return len(json.dumps(definition).encode())
