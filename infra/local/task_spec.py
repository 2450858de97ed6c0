"""What RunTask asked for, read from the task definition and the overrides (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from infra.local.fidelity.tasks import Task

STOP_TIMEOUT = 30
"""Seconds between SIGTERM and SIGKILL where the definition says nothing (Fargate's default)."""


@dataclass(frozen=True, slots=True)
class LogTarget:
    """Where the awslogs driver sends a container's output."""

    group: str
    stream: str
    create_group: bool


@dataclass(frozen=True, slots=True)
class Spec:
    """One task's only container, ready to be started."""

    task_id: str
    family: str
    cluster: str
    name: str
    image: str
    entrypoint: list[str] | None
    command: list[str] | None
    cpu_units: int
    """1,024 are one vCPU."""
    memory_mib: int
    stop_timeout: float
    has_init: bool
    """An init process reaps and passes signals on; without, the command is process 1 itself."""
    log: LogTarget | None
    env: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    """Name → ARN of a Secrets Manager secret or SSM parameter."""


def read(task: Task) -> Spec:
    """
    The spec of `task`'s first container.

    An override replaces the command and adds to the environment, as RunTask documents.
    """
    container = task.definition.container_definitions[0]
    overrides = task.overrides.get("containerOverrides", [])
    named = [override for override in overrides if override.get("name") == container["name"]]
    override: dict[str, Any] = named[0] if named else {}
    env = {pair["name"]: pair["value"] for pair in container.get("environment", [])}
    env |= {pair["name"]: pair["value"] for pair in override.get("environment", [])}
    return Spec(
        task_id=task.id,
        family=task.family,
        cluster=task.cluster_arn.rsplit("/", 1)[-1],
        name=container["name"],
        image=container["image"],
        entrypoint=container.get("entryPoint") or None,
        command=override.get("command") or container.get("command") or None,
        cpu_units=int(task.definition.cpu),
        memory_mib=int(task.definition.memory),
        stop_timeout=container.get("stopTimeout", STOP_TIMEOUT),
        has_init=container.get("linuxParameters", {}).get("initProcessEnabled", False),
        log=_log_target(task, container),
        env=env,
        secrets={pair["name"]: pair["valueFrom"] for pair in container.get("secrets", [])},
    )


def _log_target(task: Task, container: dict[str, Any]) -> LogTarget | None:
    configuration = container.get("logConfiguration", {})
    if configuration.get("logDriver") != "awslogs":
        return None
    options = configuration["options"]
    prefix = options["awslogs-stream-prefix"]
    return LogTarget(
        group=options["awslogs-group"],
        stream=f"{prefix}/{container['name']}/{task.id}",
        create_group=options.get("awslogs-create-group") == "true",
    )
