"""
What ECS says about a task, and what it means: a table of documented payloads.

Each payload carries the fields in which it differs; where it comes from stands beside it. "Guide"
is the ECS developer guide ("Stopped tasks error messages", "Viewing stopped task errors", "Amazon
ECS task state change events", "API failure reasons"); the others are issues of public projects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import ecs_task, verdicts

STARTED = "2026-11-23T12:00:00.000Z"
ENDED = "2026-11-23T12:01:00.000Z"
STOPPED = "2026-11-23T12:01:30.000Z"


def payload(
    stop_code: str | None = "EssentialContainerExited",
    stopped_reason: str | None = "Essential container in task exited",
    *,
    exit_code: int | None = None,
    reason: str | None = None,
    started: bool = True,
    containers: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """A STOPPED task as a state-change event carries it; None: the field is absent."""
    main = {"name": "main", "lastStatus": "STOPPED", "exitCode": exit_code, "reason": reason}
    task: dict[str, Any] = {
        "taskArn": "arn:aws:ecs:eu-central-1:123456789012:task/jobyard-test/0af5",
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "version": 5,
        "startedBy": "job_1/run_1/1",
        "createdAt": "2026-11-23T11:59:00.000Z",
        "startedAt": STARTED if started else None,
        "executionStoppedAt": ENDED if started else None,
        "stoppedAt": STOPPED,
        "stopCode": stop_code,
        "stoppedReason": stopped_reason,
        "containers": [main] if containers is None else containers,
    }
    task["containers"] = [
        {name: value for name, value in container.items() if value is not None}
        for container in task["containers"] or []
    ]
    return {name: value for name, value in task.items() if value is not None}


@dataclass(frozen=True)
class Case:
    """A payload, and what it must mean; `code` None: a success."""

    name: str
    task: dict[str, Any] = field(repr=False)
    code: str | None
    exit_code: int | None = None
    may_pass: bool = False
    says: str = ""
    """Part of the message."""


OOM = "OutOfMemoryError: Container killed due to memory usage"
NOT_STARTED: dict[str, Any] = {"stop_code": "TaskFailedToStart", "started": False}


def refused_start(stopped_reason: str, **more: Any) -> dict[str, Any]:
    return payload(stopped_reason=stopped_reason, **{**NOT_STARTED, **more})


CASES = [
    # Guide, "EssentialContainerExited"
    Case("exit 0", payload(exit_code=0), None, 0),
    Case("exit 1", payload(exit_code=1), "nonzero_exit", 1, says="code 1"),
    Case("exit 126", payload(exit_code=126), "nonzero_exit", 126),
    Case("SIGTERM", payload(exit_code=143), "nonzero_exit", 143, says="signal 15"),
    # SIGKILL after stopTimeout gives 137 too: not called out of memory unless ECS says so
    Case("137 alone", payload(exit_code=137), "nonzero_exit", 137, says="SIGKILL"),
    # aws/amazon-ecs-agent#1187
    Case("OOM, 137", payload(exit_code=137, reason=OOM), "out_of_memory", 137, says=OOM),
    # aws/amazon-ecs-agent#2467: the kernel killed a child, the container ended with 0
    Case("OOM, 0", payload(exit_code=0, reason=OOM), "out_of_memory", 0, says=OOM),
    # aws/amazon-ecs-agent#5135: the agent's own report has no exit code
    Case("OOM, no exit code", payload(reason=OOM), "out_of_memory", None, says=OOM),
    # apache/airflow#4039: it ran, and its end has no exit code
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
        "infrastructure",
        0,
        says="Spot",
    ),
    # aws/containers-roadmap#1565: the stop code is missing from the event
    Case(
        "spot, no stop code",
        payload(None, "Your Spot Task was interrupted.", exit_code=0),
        "infrastructure",
        0,
        says="Spot",
    ),
    Case(
        "spot, SIGKILL",
        payload("SpotInterruption", "Your Spot Task was interrupted.", exit_code=137),
        "infrastructure",
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
    # Guide, "CannotPullContainer task errors"
    Case(
        "no such image",
        refused_start(
            "CannotPullContainerError: The task cannot pull "
            "registry.example/app:v9 from the registry "
            "registry.example. There is a connection issue or the reference was not found."
        ),
        "image_pull_failed",
        says="registry.example/app:v9",
    ),
    Case(
        "manifest unknown",
        refused_start(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to "
            "resolve ref docker.io/library/busybox:nope: not found"
        ),
        "image_pull_failed",
    ),
    Case(
        "wrong architecture",
        refused_start(
            "CannotPullContainerError: pull image manifest has been retried 5 "
            "time(s): image Manifest "
            "does not contain descriptor matching platform 'linux/arm64'"
        ),
        "image_pull_failed",
    ),
    Case(
        "manifest error",
        refused_start("CannotPullImageManifestError: Error response: denied"),
        "image_pull_failed",
    ),
    Case(
        "pull, the reason at the container",
        payload(
            "TaskFailedToStart",
            "Task failed to start",
            started=False,
            reason="CannotPullContainerError: pull access denied",
        ),
        "image_pull_failed",
        says="pull access denied",
    ),
    # an older platform version ends such a task like one whose container exited
    Case(
        "pull, as an exit",
        payload(started=False, reason="CannotPullContainerError: not found"),
        "image_pull_failed",
        says="not found",
    ),
    # the list that Dagster's launcher keeps: these may pass
    Case(
        "pull, i/o timeout",
        refused_start(
            "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: "
            "read tcp 10.0.0.7:4711->1.2.3.4:443: i/o timeout"
        ),
        "image_pull_failed",
        may_pass=True,
    ),
    Case(
        "pull, EOF",
        refused_start(
            "CannotPullContainerError: ref pull has been retried 5 time(s): failed to unpack: EOF"
        ),
        "image_pull_failed",
        may_pass=True,
    ),
    Case(
        "pull, invalid argument",
        refused_start(
            "CannotPullContainerError: ref pull has been retried 1 time(s): mount "
            "callback failed on "
            "/tmp/x: invalid argument"
        ),
        "image_pull_failed",
        may_pass=True,
    ),
    # AWS knowledge center, "You have reached your pull rate limit"
    Case(
        "pull rate limit",
        refused_start(
            "CannotPullContainerError: inspect image has been retried 5 time(s): httpReaderSeeker: "
            "failed open: unexpected status code Too Many Requests - Server "
            "message: toomanyrequests: "
            "You have reached your pull rate limit."
        ),
        "image_pull_failed",
        may_pass=True,
    ),
    Case(
        "an image whose name has eof in it",
        refused_start("CannotPullContainerError: The task cannot pull example/geoff:1: not found"),
        "image_pull_failed",
        may_pass=False,
    ),
    Case(
        "network timeout",
        refused_start("Timeout waiting for network interface provisioning to complete."),
        "start_failed",
        may_pass=True,
    ),
    Case(
        "storage timeout",
        refused_start("Timeout waiting for EphemeralStorage provisioning to complete."),
        "start_failed",
        may_pass=True,
    ),
    Case(
        "network interface, AuthFailure",
        refused_start(
            "Unexpected EC2 error while attempting to Create Network Interface with public IP "
            "assignment enabled in subnet 'subnet-1': AuthFailure"
        ),
        "start_failed",
        may_pass=True,
    ),
    Case(
        "network interface, no address left",
        refused_start(
            "Unexpected EC2 error while attempting to Create Network Interface in "
            "subnet 'subnet-1': "
            "InsufficientFreeAddressesInSubnet"
        ),
        "start_failed",
    ),
    Case(
        "capacity",
        refused_start(
            "Capacity is unavailable at this time. Please try again later or in a different "
            "availability zone"
        ),
        "capacity_unavailable",
        may_pass=True,
    ),
    Case(
        "rate",
        refused_start(
            "ResourceInitializationError: unable to pull secrets: "
            "ThrottlingException: Rate exceeded"
        ),
        "start_failed",
        may_pass=True,
    ),
    # pulumi/pulumi-awsx#927: shortly after the role was made
    Case(
        "role",
        refused_start(
            "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/a' that "
            "was provided for this task. Please verify that the role being passed has the proper "
            "trust relationship and permissions and that your IAM user has permissions to pass "
            "this role."
        ),
        "start_failed",
        may_pass=True,
        says="'arn:aws:iam::<account>:role/a'",
    ),
    # Guide, "ResourceInitializationError", "CannotStartContainerError" and their kin
    Case(
        "secret",
        refused_start(
            "ResourceInitializationError: unable to pull secrets or registry auth: "
            "execution resource "
            "retrieval failed: unable to retrieve secret from asm: AccessDeniedException"
        ),
        "start_failed",
        says="AccessDeniedException",
    ),
    Case(
        "log group",
        refused_start(
            "ResourceInitializationError: failed to validate logger args: create stream has been "
            "retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException"
        ),
        "start_failed",
    ),
    Case(
        "no such command",
        payload(
            started=False,
            reason="CannotStartContainerError: Error response from daemon: OCI runtime "
            'create failed: exec: "nope": executable file not found in $PATH: unknown',
        ),
        "start_failed",
        says="executable file not found",
    ),
    Case(
        "no such command, with its exit code",
        payload(
            "TaskFailedToStart",
            "Task failed to start",
            exit_code=127,
            started=False,
            reason='CannotStartContainerError: exec: "nope": executable file not found in $PATH',
        ),
        "start_failed",
        127,
    ),
    # aws/amazon-ecs-agent#3021
    Case(
        "out of memory at birth",
        refused_start(
            "Task failed to start",
            reason="CannotStartContainerError: OCI runtime create failed: container init was "
            "OOM-killed (memory limit too low?): unknown",
        ),
        "out_of_memory",
    ),
    Case(
        "runtime timeout",
        refused_start(
            "ContainerRuntimeTimeoutError: Could not transition to running; timed "
            "out after waiting "
            "1m: context deadline exceeded"
        ),
        "start_failed",
    ),
    Case(
        "internal error",
        refused_start("InternalError: unable to create task storage"),
        "start_failed",
    ),
    Case("failed to start, no reason at all", refused_start(""), "start_failed"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_stopped_task_means_what_its_payload_says(case: Case) -> None:
    """Its verdict, its error's code and message, and whether another launch may do better."""
    verdict = verdicts.verdict(ecs_task.read_task(case.task))
    assert verdict.error is None or verdict.error.message
    assert (verdict.error.code if verdict.error else None) == case.code
    assert verdict.succeeded is (case.code is None)
    assert verdict.exit_code == case.exit_code
    assert verdict.may_pass is case.may_pass
    assert case.says in (verdict.error.message if verdict.error else "")


@given(
    stop_code=st.none() | st.sampled_from(
        ["EssentialContainerExited", "TaskFailedToStart", "UserInitiated", "SpotInterruption",
         "TerminationNotice", "InfrastructureHealth", "ServiceSchedulerInitiated", "New"]
    ),
    stopped_reason=st.none() | st.text(max_size=40),
    exit_code=st.none() | st.integers(0, 255),
    reason=st.none() | st.text(max_size=40),
    started=st.booleans(),
    has_container=st.booleans(),
)  # fmt: skip
def test_only_exit_code_0_of_a_container_that_ended_by_itself_is_a_success(
    stop_code: str | None,
    stopped_reason: str | None,
    exit_code: int | None,
    reason: str | None,
    started: bool,
    has_container: bool,
) -> None:
    """Whatever else is said or left out: nothing absent and nothing unknown is a success."""
    task = payload(
        stop_code,
        stopped_reason,
        exit_code=exit_code,
        reason=reason,
        started=started,
        containers=None if has_container else [],
    )
    verdict = verdicts.verdict(ecs_task.read_task(task))
    assert verdict.succeeded is (verdict.error is None)
    if verdict.succeeded:
        assert exit_code == 0
        assert has_container
        assert stop_code in (None, "EssentialContainerExited")
    else:
        assert verdict.error is not None
        assert verdict.error.message
        assert verdict.error.hint


def test_a_task_reads_the_same_from_an_event_and_from_an_answer() -> None:
    """Times are text in the one and datetimes in the other."""
    told = payload(exit_code=0)
    times = ("createdAt", "startedAt", "executionStoppedAt", "stoppedAt")
    described = told | {name: datetime.fromisoformat(told[name]) for name in times}
    task = ecs_task.read_task(told)
    assert task == ecs_task.read_task(described)
    assert task.started_at == datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_run_lasts_until_its_container_ended_not_until_its_task_was_cleared_away() -> None:
    """`executionStoppedAt` comes before `stoppedAt`; a task that never ran has only the latter."""
    assert ecs_task.read_task(payload(exit_code=0)).stopped_at == datetime.fromisoformat(ENDED)
    never = ecs_task.read_task(payload(**NOT_STARTED))
    assert never.stopped_at == datetime.fromisoformat(STOPPED)


def test_a_task_leads_back_to_its_run_by_what_it_was_started_by() -> None:
    """And a task that is not ours leads nowhere."""
    assert ecs_task.owner(ecs_task.started_by("job_1", "run_2", 3)) == ("job_1", "run_2", 3)
    assert len(ecs_task.started_by("job_" + "0" * 26, "run_" + "0" * 26, 11)) <= 128
    for foreign in ("", "ecs-svc/9223370545345641169", "a/b/c", "job_1/run_1", "job_1/run_1/x",
                    "job_1/run_1/²"):  # fmt: skip
        assert ecs_task.owner(foreign) is None
