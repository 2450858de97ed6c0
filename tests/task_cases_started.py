"""Stopped tasks whose container started, and the verdict for each."""

from __future__ import annotations

from tests.task_payloads import (
    OOM,
    Case,
    payload,
    refused_start,
)

STARTED_CASES = [
    # Guide, "EssentialContainerExited"
    Case("exit 0", payload(exit_code=0), None, 0),
    Case("exit 1", payload(exit_code=1), "nonzero_exit", 1, says="code 1"),
    Case("exit 126", payload(exit_code=126), "nonzero_exit", 126),
    Case("SIGTERM", payload(exit_code=143), "nonzero_exit", 143, says="signal 15"),
    # SIGKILL after stopTimeout gives 137 too: it is out of memory only if ECS says so.
    Case("137 alone", payload(exit_code=137), "nonzero_exit", 137, says="SIGKILL"),
    # aws/amazon-ecs-agent#1187
    Case("OOM, 137", payload(exit_code=137, reason=OOM), "out_of_memory", 137, says=OOM),
    # aws/amazon-ecs-agent#2467: the kernel killed a child, and the container ended with 0.
    Case("OOM, 0", payload(exit_code=0, reason=OOM), "out_of_memory", 0, says=OOM),
    # aws/amazon-ecs-agent#5135: the agent's own report has no exit code.
    Case("OOM, no exit code", payload(reason=OOM), "out_of_memory", None, says=OOM),
    # apache/airflow#4039: the container ran, and no exit code was reported.
    Case("no exit code", payload(), "infrastructure", None),
    Case("exit 0, no stop code", payload(None, None, exit_code=0), None, 0),
    Case("exit 2, no stop code", payload(None, None, exit_code=2), "nonzero_exit", 2),
    # apache/airflow#51429, prefecthq/prefect#22410
    Case("no containers, ran", payload(containers=[]), "infrastructure", None),
    Case(
        "no containers, no stop code",
        payload(None, None, containers=[], started=False),
        "start_failed",
        None,
    ),
    Case(
        "no containers, failed to start",
        refused_start("Task failed to start", containers=[]),
        "start_failed",
        None,
        says="Task failed to start",
    ),
    Case(
        "another container's exit code",
        payload(containers=[{"name": "sidecar", "exitCode": 0}]),
        "infrastructure",
        None,
    ),
    # Guide, "SpotInterruption", "TerminationNotice", "UserInitiated"
    Case(
        "spot",
        payload("SpotInterruption", "Your Spot Task was interrupted.", exit_code=0),
        "spot_interrupted",
        0,
        says="Spot",
    ),
    # aws/containers-roadmap#1565: the event has no stop code.
    Case(
        "spot, no stop code",
        payload(None, "Your Spot Task was interrupted.", exit_code=0),
        "spot_interrupted",
        0,
        says="Spot",
    ),
    # the service may say it in other words, and a container that ran out of memory was told to end
    Case(
        "spot, out of memory",
        payload("SpotInterruption", None, exit_code=137, reason=OOM),
        "spot_interrupted",
        137,
        says="Spot",
    ),
    # it had ended before the interruption
    Case(
        "spot, ended by itself",
        payload("EssentialContainerExited", "Your Spot Task was interrupted.", exit_code=0),
        None,
        0,
    ),
    Case(
        "spot, SIGKILL",
        payload("SpotInterruption", "Your Spot Task was interrupted.", exit_code=137),
        "spot_interrupted",
        137,
    ),
    Case(
        "maintenance",
        payload(
            "TerminationNotice",
            "ECS is performing maintenance on the underlying infrastructure hosting the task.",
            exit_code=143,
        ),
        "infrastructure",
        143,
        says="maintenance",
    ),
    Case(
        "retired host",
        payload("InfrastructureHealth", "Infrastructure failure"),
        "infrastructure",
        None,
    ),
    Case(
        "stopped by somebody",
        payload("UserInitiated", "Task stopped by user", exit_code=143),
        "infrastructure",
        143,
        says="Task stopped by user",
    ),
    Case(
        "stopped by somebody, ended well",
        payload("UserInitiated", "Task stopped by user", exit_code=0),
        "infrastructure",
        0,
    ),
    Case(
        "stopped by somebody before it started",
        payload("UserInitiated", "Task stopped by user", started=False),
        "infrastructure",
        None,
    ),
    Case(
        "a stop code of the future",
        payload("SomethingNew", None, exit_code=0),
        "infrastructure",
        0,
        says="SomethingNew",
    ),
]
