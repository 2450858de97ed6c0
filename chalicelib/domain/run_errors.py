"""Why a run did not succeed: every error code, with the hint that goes with it."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.redaction import without_account_ids


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run did not succeed: `message` is AWS's own reason where there is one."""

    code: str
    message: str
    hint: str

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message, "hint": self.hint}


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
    "spot_interrupted": (
        "AWS took back the Spot capacity each time that the attempt was started: set capacity to "
        "spot_then_on_demand or on_demand, or max_retries."
    ),
    "lost": "ECS no longer knows the task; whether the command finished cannot be said.",
    "cancelled_by_user": "It was cancelled through the API.",
    "replaced": "A newer slot of the schedule took its place (concurrency_policy replace).",
    "skipped_overlap": (
        "As many runs as may be were still in flight (concurrency_policy forbid, "
        "max_concurrent_runs)."
    ),
    "skipped_queue_full": (
        "The line was full (concurrency_policy queue): make the command faster, raise "
        "max_concurrent_runs, or schedule it less often."
    ),
    "skipped_quota": (
        "As many runs of the workspace were in flight as its quota allows: let fewer start at the "
        "same time, or ask the operator for more."
    ),
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


def joined(first: str, second: str) -> str:
    return f"{first}: {second}" if first and second and second not in first else first or second
