"""Records as the JSON that the contract shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from chalicelib.states import PENDING, RUNNING
from chalicelib.transitions import iso

if TYPE_CHECKING:
    from chalicelib.tables.records import Job, Run, Stats


def job(record: Job) -> dict[str, Any]:
    """A job as it is configured."""
    return {
        "id": record.job_id,
        "workspace_id": record.workspace_id,
        "project_id": record.project_id,
        "managed_by": None,  # of a job that was stored before there was this field
        **record.spec,
        "version": int(record.version),
        "created_at": iso(record.created_at),
        "updated_at": iso(record.updated_at),
        "next_run_at": iso(record.next_slot),
    }


def run(record: Run) -> dict[str, Any]:
    """A run as it is now."""
    ended = record.finished_at
    started = record.started_at
    duration = round((ended - started).total_seconds(), 3) if started and ended else None
    attempts = _attempts(record)
    return {
        "id": record.run_id,
        "job_id": record.job_id,
        "job_version": int(record.job_version),
        "status": record.status,
        "trigger": record.trigger,
        "scheduled_for": iso(record.scheduled_for),
        "attempt": int(record.attempt),
        "max_attempts": int(record.max_attempts),
        "retry_at": iso(record.retry_at),
        "created_at": iso(record.created_at),
        "started_at": iso(started),
        "finished_at": iso(ended),
        "duration_seconds": duration,
        "exit_code": record.exit_code,
        "error": record.error,
        "attempts": attempts,
        "image": record.image,
        "command": record.command,
        "cpu": record.cpu,
        "memory_mib": int(record.memory_mib),
        "task_arn": attempts[-1]["task_arn"] if attempts else None,
        "observed_at": iso(record.observed_at),
    }


def _attempts(record: Run) -> list[dict[str, Any]]:
    attempts = [
        {
            name: past[name]
            for name in ("attempt", "task_arn", "started_at", "finished_at", "exit_code", "error")
        }
        for past in record.past_attempts or []
    ]
    if len(attempts) < record.attempt and (record.task_arn or record.requested_at):
        attempts.append(
            {
                "attempt": int(record.attempt),
                "task_arn": record.task_arn,
                "started_at": iso(record.attempt_started_at),
                "finished_at": iso(record.finished_at),
                "exit_code": record.exit_code,
                "error": record.error,
            }
        )
    return attempts


def status(
    job: Job, stats: Stats, latest: Run | None, live: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """A job's latest run, counts and next slot; `live` is (run id, status) of what is in flight."""
    statuses = [status for _, status in live]
    counts = {
        "pending": statuses.count(PENDING),
        "running": statuses.count(RUNNING),
        "succeeded": int(stats.succeeded),
        "failed": int(stats.failed),
        "cancelled": int(stats.cancelled),
        "skipped": int(stats.skipped),
    }
    # the contract leaves skipped slots out of every count but their own
    counts["total"] = sum(counts.values()) - counts["skipped"]
    is_scheduled = job.spec["schedule"] is not None
    return {
        "job_id": job.job_id,
        "latest_run": None if latest is None else run(latest),
        "run_counts": counts,
        "consecutive_failures": int(stats.consecutive_failures),
        "last_succeeded_at": iso(stats.last_succeeded_at),
        "schedule": job.spec["schedule"],
        "timezone": job.spec["timezone"] if is_scheduled else None,
        "paused": job.spec["paused"] if is_scheduled else None,
        "next_run_at": iso(job.next_slot),
    }
