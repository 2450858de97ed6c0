"""Examples of bodies and answers, by model, for GET /openapi.json; a test validates each."""

from __future__ import annotations

from typing import Any

_JOB_ID = "job_01KB4V6MZ0J5T8WQ2V4X6Y8ZAB"
_RUN_ID = "run_01KB4VB5X0C3D5F7H9K1M3P5R7"
_TASK = "arn:aws:ecs:eu-central-1:123456789012:task/jobyard-dev/0123456789abcdef0123456789abcdef"
_AT = "2026-11-23T03:00:00.000Z"
_JOB = {
    "id": _JOB_ID,
    "workspace_id": "acme",
    "project_id": "etl",
    "name": "nightly",
    "image": "public.ecr.aws/docker/library/python:3.13-slim",
    "entrypoint": None,
    "command": ["python", "-c", "print(1)"],
    "env": {"MODE": "full"},
    "secrets": {},
    "tags": ["team=data", "nightly"],
    "schedule": "0 3 * * 1-5",
    "schedule_text": "At 03:00, Monday to Friday",
    "timezone": "Europe/Berlin",
    "paused": False,
    "concurrency_policy": "allow",
    "max_concurrent_runs": 1,
    "jitter_seconds": 0,
    "starting_deadline_seconds": 3600,
    "cpu": 0.25,
    "memory_mib": 512,
    "architecture": "x86_64",
    "capacity": "on_demand",
    "task_role_arn": None,
    "timeout_seconds": 86400,
    "max_retries": 0,
    "notify": ["failing", "recovered", "missed"],
    "managed_by": None,
    "version": 1,
    "created_at": "2026-11-22T09:12:00.000Z",
    "updated_at": "2026-11-22T09:12:00.000Z",
    "next_run_at": "2026-11-24T02:00:00.000Z",
    "wake": "rule",
}
_ERROR = {
    "code": "nonzero_exit",
    "message": "Essential container in task exited",
    "hint": "The container exited with 1: read the run's logs.",
}
_COST = {
    "usd": 0.000402917,
    "vcpu_seconds": 18.75,
    "gib_seconds": 37.5,
    "price_date": "2026-11-28",
    "is_estimate": True,
}
_ATTEMPT = {
    "attempt": 1,
    "task_arn": _TASK,
    "started_at": "2026-11-23T03:00:21.000Z",
    "finished_at": "2026-11-23T03:00:33.400Z",
    "exit_code": 1,
    "error": _ERROR,
    "capacity": "on_demand",
    "interruptions": 0,
    "cost": _COST,
}
_RUN = {
    "id": _RUN_ID,
    "job_id": _JOB_ID,
    "job_name": _JOB["name"],
    "job_version": 1,
    "status": "failed",
    "trigger": "schedule",
    "triggered_by": {"kind": "schedule"},
    "scheduled_for": _AT,
    "due_at": _AT,
    "attempt": 1,
    "max_attempts": 1,
    "retry_at": None,
    "waits_for": None,
    "created_at": _AT,
    "started_at": _ATTEMPT["started_at"],
    "finished_at": _ATTEMPT["finished_at"],
    "duration_seconds": 12.4,
    "exit_code": 1,
    "error": _ERROR,
    "attempts": [_ATTEMPT],
    "image": _JOB["image"],
    "command": _JOB["command"],
    "cpu": 0.25,
    "memory_mib": 512,
    "task_arn": _TASK,
    "capacity": "on_demand",
    "cost": _COST,
    "observed_at": "2026-11-23T03:00:34.100Z",
}
_COUNTS = {
    "pending": 0,
    "running": 0,
    "succeeded": 41,
    "failed": 1,
    "cancelled": 0,
    "skipped": 2,
    "total": 42,
}
_ACTIVITY = {
    "run_counts": _COUNTS,
    "consecutive_failures": 1,
    "last_succeeded_at": "2026-11-20T03:01:02.000Z",
    "in_flight": 0,
    "recent_runs": [
        {
            "id": _RUN_ID,
            "status": "failed",
            "error_code": _ERROR["code"],
            "trigger": "schedule",
            "created_at": _AT,
            "started_at": _ATTEMPT["started_at"],
            "finished_at": _ATTEMPT["finished_at"],
        }
    ],
    "cost_this_month": 0.0173,
}
EXAMPLES: dict[str, Any] = {
    "JobSpec": {
        "name": "nightly",
        "image": _JOB["image"],
        "command": ["python", "-c", "print(1)"],
        "env": {"MODE": "full"},
        "tags": ["team=data", "nightly"],
        "schedule": "0 3 * * 1-5",
        "timezone": "Europe/Berlin",
    },
    "JobPatch": {"schedule": None, "tags": ["team=data"]},
    "RunOverrides": {"env": {"MODE": "quick"}},
    "Job": _JOB,
    "JobList": {"jobs": [_JOB | {"activity": _ACTIVITY}], "next_cursor": None},
    "Run": _RUN,
    "RunList": {"runs": [_RUN], "next_cursor": None},
    "AuditEntryList": {
        "entries": [
            {
                "at": _AT,
                "token_id": "1f2e3d4c5b6a",
                "token_name": "ci",
                "action": "update_job",
                "target": _JOB_ID,
                "target_name": _JOB["name"],
                "job_id": _JOB_ID,
                "fields": ["image", "schedule"],
            }
        ],
        "next_cursor": None,
    },
    "Schedule": {
        "text": _JOB["schedule_text"],
        "timezone": _JOB["timezone"],
        "slots": [_JOB["next_run_at"], "2026-11-25T02:00:00.000Z"],
    },
    "Upcoming": {
        "slots": [
            {
                "job_id": _JOB_ID,
                "job_name": "nightly",
                "scheduled_for": _JOB["next_run_at"],
                "due_at": _JOB["next_run_at"],
            }
        ],
        "is_complete": True,
    },
    "ProjectCost": {
        "month": "2026-11",
        "jobs": [
            {
                "job_id": _JOB_ID,
                "job_name": "nightly",
                "usd": 0.0173,
                "runs": 43,
                "runs_without_price": 0,
            }
        ],
        "usd": 0.0173,
    },
    "JobStatus": {
        "job_id": _JOB_ID,
        "latest_run": _RUN,
        "run_counts": _COUNTS,
        "consecutive_failures": 1,
        "last_succeeded_at": "2026-11-20T03:01:02.000Z",
        "cost_this_month": 0.0173,
        "schedule": _JOB["schedule"],
        "timezone": _JOB["timezone"],
        "paused": False,
        "next_run_at": _JOB["next_run_at"],
    },
    "Logs": {
        "logs": [{"timestamp": _AT, "message": "1", "run_id": _RUN_ID, "attempt": 1}],
        "next_cursor": None,
        "previous_cursor": None,
    },
    "Metrics": {
        "start": "2026-11-23T02:00:00.000Z",
        "end": _AT,
        "period_seconds": 60,
        "metrics": {
            "cpu_usage": {
                "status": "success",
                "unit": "cores",
                "points": [{"timestamp": "2026-11-23T02:59:00.000Z", "value": 0.12}],
            },
            "disk_usage": {
                "status": "error",
                "message": "There is no metric of that name.",
                "code": "unknown_metric",
            },
        },
    },
}
