"""
What a stopped ECS task means for the attempt that it ran.

Sources: "Amazon ECS stopped tasks error messages" in the ECS developer guide; which failures to
start may pass is the list that Dagster's ECS launcher keeps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.domain.ecs_task import Task
from chalicelib.domain.run_errors import ROLE_HINT, RunError, cannot_assume_role, error, joined


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a stopped task means for its attempt."""

    succeeded: bool
    exit_code: int | None
    error: RunError | None
    may_pass: bool = False
    """It never started, for a reason that may be gone at the next launch."""
    is_interruption: bool = False
    """AWS took Spot capacity back."""


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
    What a STOPPED task means. A success is only an exit code of 0 of a container that ended by
    itself and not because memory ran out.
    """
    if was_interrupted(task):
        why = task.stopped_reason or "Your Spot Task was interrupted."
        failure = error("spot_interrupted", why)
        return Verdict(False, task.exit_code, failure, is_interruption=True)
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


def was_interrupted(task: Task) -> bool:
    """
    Whether AWS took back the Spot capacity that the task ran on. Then an exit code is that of a
    container which was told to end, 0 too. If the container had ended before, ECS says so.
    """
    if task.stop_code == "EssentialContainerExited":
        return False
    is_told = "spot task was interrupted" in task.stopped_reason.lower()
    return task.stop_code == "SpotInterruption" or is_told


def ended_by_itself(task: Task) -> bool:
    """
    Whether nobody stopped the task.

    A stop code may be missing although somebody stopped it, as for a Spot interruption
    (aws/containers-roadmap#1565): then the reason says so.
    """
    if task.stop_code:
        return task.stop_code == "EssentialContainerExited"
    return not task.stopped_reason or task.stopped_reason.startswith("Essential container")


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
