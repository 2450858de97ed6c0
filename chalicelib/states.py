"""
The run state machine, and what an ECS task says about a run. Pure.

    pending ──> running ──> succeeded | failed | cancelled
       └──────────────────> succeeded | failed | cancelled      (RUNNING may never be seen)

`read_task` turns a task, as DescribeTasks or a state-change event shows it, into a `Task`;
`verdict` says what a stopped one means. What it means that RunTask gave none: `refusals`.

Sources: "Amazon ECS stopped tasks error messages" and "RunTask" in the ECS developer guide and
API reference; which failures to start may pass is the list that Dagster's ECS launcher keeps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.redaction import without_account_ids

PENDING = "pending"
RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
CANCELLED = "cancelled"
TERMINAL = frozenset({SUCCEEDED, FAILED, CANCELLED})

CANCELLING = frozenset({"cancelled_by_user", "replaced", "job_deleted"})
"""Reasons to stop that make a run `cancelled`; `timed_out` makes it `failed`."""

CONTAINER = "main"
"""Name of the one container of every task definition."""


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run did not succeed: `message` is AWS's own reason where there is one."""

    code: str
    message: str
    hint: str

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class Task:
    """An ECS task as last seen."""

    arn: str
    version: int
    status: str
    started_by: str
    created_at: datetime | None
    started_at: datetime | None
    stopped_at: datetime | None
    """When the container ended (`executionStoppedAt`), else when the task was STOPPED."""
    stop_code: str
    stopped_reason: str
    exit_code: int | None
    container_reason: str

    @property
    def is_stopped(self) -> bool:
        return self.status == "STOPPED"

    @property
    def is_started(self) -> bool:
        """Its container runs, or ran."""
        return self.started_at is not None or self.status == "RUNNING"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a stopped task means for its attempt."""

    succeeded: bool
    exit_code: int | None
    error: RunError | None
    may_pass: bool = False
    """It never started, for a reason that another launch may not meet."""


def _time(value: object) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromisoformat(str(value).replace("Z", "+00:00"))


def read_task(raw: Mapping[str, Any]) -> Task:
    """
    A task as DescribeTasks answers it or as a state-change event's `detail` carries it.

    `containers` may be empty and `exitCode` absent; both are None here, never a success.
    """
    containers = raw.get("containers") or []
    main = next((c for c in containers if c.get("name") == CONTAINER), None) or {}
    return Task(
        arn=raw["taskArn"],
        version=int(raw.get("version", 0)),
        status=raw.get("lastStatus", ""),
        started_by=raw.get("startedBy", ""),
        created_at=_time(raw.get("createdAt")),
        started_at=_time(raw.get("startedAt")),
        stopped_at=_time(raw.get("executionStoppedAt") or raw.get("stoppedAt")),
        stop_code=raw.get("stopCode") or "",
        stopped_reason=raw.get("stoppedReason") or "",
        exit_code=main.get("exitCode"),
        container_reason=main.get("reason") or "",
    )


def started_by(job_id: str, run_id: str, attempt: int) -> str:
    """What RunTask is told, and the only way from a task back to its run; 62 characters."""
    return f"{job_id}/{run_id}/{attempt}"


def owner(task_started_by: str) -> tuple[str, str, int] | None:
    """(job, run, attempt) of a task, or None where it is not one of ours."""
    parts = task_started_by.split("/")
    if len(parts) != 3 or not parts[0].startswith("job_") or not parts[1].startswith("run_"):
        return None
    is_number = parts[2].isascii() and parts[2].isdigit()
    return (parts[0], parts[1], int(parts[2])) if is_number else None


_HINTS = {
    "nonzero_exit": "The command ended with an error of its own; its output says more.",
    "out_of_memory": "Raise memory_mib, or let the command use less.",
    "timed_out": "Raise timeout_seconds, or make the command faster.",
    "image_pull_failed": (
        "Check that the image and its tag exist, that the architecture fits, that the execution "
        "role may pull it and that the subnets reach the registry."
    ),
    "start_failed": "The task was refused or could not start; the message is AWS's own reason.",
    "capacity_unavailable": (
        "Fargate had no capacity, or the account's Fargate vCPU quota is used up: raise the quota "
        "or run less at once."
    ),
    "infrastructure": "AWS ended the task, not the command; run it again, or set max_retries.",
    "lost": "ECS no longer knows the task; whether the command finished cannot be said.",
    "cancelled_by_user": "It was cancelled through the API.",
    "replaced": "A newer slot of the schedule took its place (concurrency_policy replace).",
    "skipped_overlap": "An earlier run was still in flight (concurrency_policy forbid).",
    "missed_deadline": "Its slot was noticed too late to start; see starting_deadline_seconds.",
    "job_deleted": "Its job was deleted.",
}


def error(code: str, message: str, hint: str | None = None) -> RunError:
    """The error with that code, and its hint; the message without account ids."""
    return RunError(code, without_account_ids(message), hint or _HINTS[code])


ROLE_HINT = (
    "ECS still could not assume the role after some minutes: check that the role exists and that "
    "its trust policy lets ecs-tasks.amazonaws.com assume it."
)


def cannot_assume_role(message: str) -> bool:
    """Whether ECS says so, of a task role or an execution role."""
    return "unable to assume the role" in message.lower()


_PASSING = (
    "timeout waiting for network interface provisioning to complete",
    "timeout waiting for ephemeralstorage provisioning to complete",
    "capacity is unavailable at this time",
    "request limit exceeded",
    "rate exceeded",
)
_PASSING_PULL = re.compile(
    r"i/o timeout|\beof\b|invalid argument|toomanyrequests|too many requests"
)


def _start_may_pass(reason: str) -> bool:
    text = reason.lower()
    if any(part in text for part in _PASSING) or cannot_assume_role(text):
        return True
    if "cannotpullcontainererror" in text:
        return _PASSING_PULL.search(text) is not None
    return "unexpected ec2 error while attempting to create network interface" in text and (
        "authfailure" in text
    )


def _start_error(reason: str) -> RunError:
    text = reason.lower()
    if cannot_assume_role(text):
        return error("start_failed", reason, ROLE_HINT)
    if "cannotpull" in text or "pull image" in text or "image manifest" in text:
        return error("image_pull_failed", reason)
    if "capacity is unavailable" in text:
        return error("capacity_unavailable", reason)
    if "outofmemory" in text or "oom-killed" in text:
        return error("out_of_memory", reason)
    return error("start_failed", reason)


def verdict(task: Task) -> Verdict:
    """
    What a STOPPED task means. Only an exit code of 0 of a container that ended by itself, and
    not for want of memory, is a success.
    """
    reason = task.container_reason or task.stopped_reason
    if task.container_reason.startswith("OutOfMemory"):
        # the kernel may kill a child and leave the container to end with 0
        return Verdict(False, task.exit_code, error("out_of_memory", task.container_reason))
    by_itself = ended_by_itself(task)
    never_started = task.exit_code is None and task.started_at is None
    if task.stop_code == "TaskFailedToStart" or (never_started and by_itself):
        why = joined(task.stopped_reason, task.container_reason) or "The task did not start."
        return Verdict(False, task.exit_code, _start_error(why), _start_may_pass(why))
    if by_itself:
        return _exited(task, reason)
    why = task.stopped_reason or f"AWS stopped the task ({task.stop_code})."
    return Verdict(False, task.exit_code, error("infrastructure", why))


def ended_by_itself(task: Task) -> bool:
    """
    Whether nobody stopped the task.

    A stop code may be missing although somebody did, as for a Spot interruption
    (aws/containers-roadmap#1565): then the reason says so.
    """
    if task.stop_code:
        return task.stop_code == "EssentialContainerExited"
    return not task.stopped_reason or task.stopped_reason.startswith("Essential container")


def joined(first: str, second: str) -> str:
    return f"{first}: {second}" if first and second and second not in first else first or second


def _exited(task: Task, reason: str) -> Verdict:
    code = task.exit_code
    if code == 0:
        return Verdict(True, 0, None)
    if code is None:
        why = reason or "The container ended without an exit code."
        return Verdict(False, None, error("infrastructure", why))
    message = f"The command exited with code {code}."
    if code == 137:
        message = "The command was killed (exit code 137, SIGKILL) but not reported out of memory."
    elif code > 128:
        message = f"The command was ended by signal {code - 128} (exit code {code})."
    return Verdict(False, code, error("nonzero_exit", message))
