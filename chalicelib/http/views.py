"""Records as the JSON that the contract shows: the only place where answers are rendered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chalicelib.domain import ids, run_cost
from chalicelib.domain.capacity import ON_DEMAND, SPOT
from chalicelib.domain.notices import DEFAULT
from chalicelib.domain.run_states import PENDING, RUNNING
from chalicelib.domain.spent_tasks import first_start, interrupted
from chalicelib.domain.times import iso

if TYPE_CHECKING:
    from chalicelib.tables.recent_runs import RecentRun
    from chalicelib.tables.records import AuditEntry, Job
    from chalicelib.tables.run_records import Run, Stats
    from chalicelib.usecases.activity import JobActivity, JobStatus
    from chalicelib.usecases.costs import ProjectCost
    from chalicelib.usecases.logs import Line
    from chalicelib.usecases.metrics import Measured, MetricsResult, NotMeasured
    from chalicelib.usecases.schedules import Preview, Upcoming


SHOWN = 10
"""Of the runs that a run waits for, how many are named."""


def job(record: Job) -> dict[str, Any]:
    """A job as it is configured."""
    return {
        "id": record.job_id,
        "workspace_id": record.workspace_id,
        "project_id": record.project_id,
        # absent in a job that was stored before these fields existed
        "managed_by": None,
        "notify": list(DEFAULT),
        "max_concurrent_runs": 1,
        "jitter_seconds": 0,
        "capacity": ON_DEMAND,
        **record.spec,
        "schedule_text": _in_words(record.spec["schedule"]),
        "version": int(record.version),
        "created_at": iso(record.created_at),
        "updated_at": iso(record.updated_at),
        "next_run_at": iso(record.next_due_at),
        "wake": record.woken_by,
    }


def _in_words(expression: str | None) -> str | None:
    if expression is None:
        return None
    from chalicelib.domain.schedule_text import in_words  # at first use: many jobs have none

    return in_words(expression)


def schedule(preview: Preview) -> dict[str, Any]:
    """What a schedule means."""
    slots = [iso(at) for at in preview.slots]
    return {"text": preview.text, "timezone": preview.timezone, "slots": slots}


def upcoming(found: Upcoming) -> dict[str, Any]:
    """The slots to come."""
    slots = [
        {
            "job_id": slot.job_id,
            "job_name": slot.job_name,
            "scheduled_for": iso(slot.scheduled_for),
            "due_at": iso(slot.due_at),
        }
        for slot in found.slots
    ]
    return {"slots": slots, "is_complete": found.is_complete}


def run(record: Run) -> dict[str, Any]:
    """A run as it is now."""
    ended = record.finished_at
    started = record.started_at
    duration = round((ended - started).total_seconds(), 3) if started and ended else None
    attempts = _attempts(record)
    return {
        "id": record.run_id,
        "job_id": record.job_id,
        "job_name": record.job_name,
        "job_version": int(record.job_version),
        "status": record.status,
        "trigger": record.trigger,
        "triggered_by": record.triggered_by,
        "scheduled_for": iso(record.scheduled_for),
        "due_at": iso(record.due_at or record.scheduled_for),
        "attempt": int(record.attempt),
        "max_attempts": int(record.max_attempts),
        "retry_at": iso(record.retry_at),
        "waits_for": record.waits_for[:SHOWN] if record.waits_for else None,
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
        "capacity": attempts[-1]["capacity"] if attempts else None,
        "cost": _cost(record, run_cost.of_run(record)),
        "observed_at": iso(record.observed_at),
    }


def run_event(record: Run) -> dict[str, Any]:
    """A run as in an event on the operator's bus: with its workspace and project."""
    workspace_id, project_id = ids.of_project(record.project)
    return {"workspace_id": workspace_id, "project_id": project_id, **run(record)}


def _attempts(record: Run) -> list[dict[str, Any]]:
    attempts = [
        {
            name: past[name]
            for name in ("attempt", "task_arn", "started_at", "finished_at", "exit_code", "error")
        }
        | {
            "capacity": past.get("capacity", ON_DEMAND) if past["task_arn"] else None,
            "interruptions": len(interrupted(past.get("spent_tasks"))),
            "cost": _cost(record, run_cost.of_past(past)),
        }
        for past in record.past_attempts or []
    ]
    spent = interrupted(record.spent_tasks)
    is_launched = record.task_arn or record.requested_at
    if len(attempts) < record.attempt and (is_launched or spent):
        ran_on = record.capacity or ON_DEMAND
        attempts.append(
            {
                "attempt": int(record.attempt),
                "task_arn": record.task_arn if is_launched else spent[-1]["task_arn"],
                "started_at": first_start(spent) or iso(record.attempt_started_at),
                "finished_at": iso(record.finished_at),
                "exit_code": record.exit_code,
                "error": record.error,
                "capacity": ran_on if is_launched else SPOT,
                "interruptions": len(spent),
                "cost": _cost(record, run_cost.of_attempt(record)),
            }
        )
    return attempts


def audit_entry(record: AuditEntry) -> dict[str, Any]:
    """Who changed what."""
    return {
        "at": iso(record.at),
        "token_id": record.token_id,
        "token_name": record.token_name,
        "action": record.action,
        "target": record.target,
        "target_name": record.target_name,
        "job_id": record.job_id,
        "fields": record.fields,
    }


def _cost(record: Run, bill: run_cost.Bill | None) -> dict[str, Any] | None:
    """What a run or an attempt cost; None: no task is billed, or its price is not known."""
    if bill is None or bill.nano_usd is None or record.rates is None:
        return None
    return {
        "usd": _usd(bill.nano_usd),
        "vcpu_seconds": bill.seconds * record.cpu,
        "gib_seconds": bill.seconds * int(record.memory_mib) / 1024,
        "price_date": run_cost.Rates(*record.rates).date,
        "is_estimate": True,
    }


def _usd(nano: int | None) -> float | None:
    """Billionths of a dollar as dollars: the one division of an amount, and nothing is added up
    after it."""
    return None if nano is None else int(nano) / 10**9


def month_cost(found: ProjectCost) -> dict[str, Any]:
    """What the runs of a project's jobs cost in a month."""
    known = [int(job.nano_usd) for job in found.jobs if job.nano_usd is not None]
    jobs = [
        {
            "job_id": job.job_id,
            "job_name": job.job_name,
            "usd": _usd(job.nano_usd),
            "runs": int(job.runs),
            "runs_without_price": int(job.unpriced),
        }
        for job in found.jobs
    ]
    total = None if found.jobs and not known else _usd(sum(known))
    return {"month": found.month, "jobs": jobs, "usd": total}


def status(found: JobStatus) -> dict[str, Any]:
    """A job's latest run, counts and next slot."""
    job = found.job
    is_scheduled = job.spec["schedule"] is not None
    return {
        "job_id": job.job_id,
        "latest_run": None if found.latest is None else run(found.latest),
        **_counts(found.stats, found.in_flight),
        "cost_this_month": _usd(found.nano_usd),
        "schedule": job.spec["schedule"],
        "timezone": job.spec["timezone"] if is_scheduled else None,
        "paused": job.spec["paused"] if is_scheduled else None,
        "next_run_at": iso(job.next_due_at),
    }


def activity(found: JobActivity) -> dict[str, Any]:
    """How a job in a list does."""
    return {
        **_counts(found.stats, found.in_flight),
        "in_flight": len(found.in_flight),
        "recent_runs": [_recent(run) for run in found.recent],
        "cost_this_month": _usd(found.nano_usd),
    }


def _recent(record: RecentRun) -> dict[str, Any]:
    return {
        "id": record.run_id,
        "status": record.status,
        "error_code": record.error_code,
        "trigger": record.trigger,
        "created_at": iso(record.created_at),
        "started_at": iso(record.started_at),
        "finished_at": iso(record.finished_at),
    }


def _counts(stats: Stats, in_flight: list[str]) -> dict[str, Any]:
    """A job's lifetime counts, and what is counted beside them."""
    counts = {
        "pending": in_flight.count(PENDING),
        "running": in_flight.count(RUNNING),
        "succeeded": int(stats.succeeded),
        "failed": int(stats.failed),
        "cancelled": int(stats.cancelled),
        "skipped": int(stats.skipped),
    }
    # the contract counts skipped slots only under `skipped`
    counts["total"] = sum(counts.values()) - counts["skipped"]
    return {
        "run_counts": counts,
        "consecutive_failures": int(stats.consecutive_failures),
        "last_succeeded_at": iso(stats.last_succeeded_at),
    }


def log_line(line: Line) -> dict[str, Any]:
    """A line of a run's output."""
    at = datetime.fromtimestamp(line.timestamp / 1000, UTC)
    return {
        "timestamp": iso(at),
        "message": line.message,
        "run_id": line.run_id,
        "attempt": line.attempt,
    }


def metrics(result: MetricsResult) -> dict[str, Any]:
    """The metrics that were asked for, each with its own status."""
    return {
        "start": iso(result.start),
        "end": iso(result.end),
        "period_seconds": result.period_seconds,
        "metrics": {name: _metric(metric) for name, metric in result.metrics.items()},
    }


def _metric(metric: Measured | NotMeasured) -> dict[str, Any]:
    from chalicelib.usecases.metrics import Measured

    if not isinstance(metric, Measured):
        return {"status": "error", "message": metric.message, "code": metric.code}
    points = [{"timestamp": iso(at), "value": value} for at, value in metric.points]
    return {"status": "success", "unit": metric.unit, "points": points}
