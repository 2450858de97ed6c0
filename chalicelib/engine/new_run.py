"""New runs of a job: triggered by hand, or for a slot of its schedule."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.domain import capacity, ids, run_cost, time_limits
from chalicelib.domain.actor import SCHEDULE
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.run_states import PENDING
from chalicelib.settings import Settings
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import Run
from chalicelib.tables.shards import listed


def new_run(
    job: Job, run_id: str, now: datetime, by: Mapping[str, str | None], settings: Settings
) -> Run:
    """A pending run of a job as it is configured now, to be launched at once; `by` is its
    `triggered_by`."""
    spec = job.spec
    wanted = spec.get("capacity", capacity.ON_DEMAND)  # absent in a job of an older version
    return Run(
        job.job_id,
        run_id,
        rev=1,
        project=job.pk,
        job_name=job.name,
        job_version=job.version,
        status=PENDING,
        trigger="manual",
        triggered_by=dict(by),
        live=True,
        listed=listed(job.pk, run_id),
        look_at=now + time_limits.LAUNCH_LEASE,
        task_definition=job.task_definition,
        image=spec["image"],
        command=spec["command"],
        tags=spec["tags"],
        cpu=spec["cpu"],
        memory_mib=spec["memory_mib"],
        rates=rates(spec, settings),
        timeout_seconds=spec["timeout_seconds"],
        max_attempts=spec["max_retries"] + 1,
        job_capacity=None if wanted == capacity.ON_DEMAND else wanted,
        created_at=now,
        **Attempt(
            attempt=1,
            launch=1,
            waiting_since=now,
            capacity=capacity.first(wanted),
            requested_at=now,
        ).attributes(),
    )


def rates(spec: Mapping[str, Any], settings: Settings) -> list[Any] | None:
    """What the tasks of a job's runs cost on this stage; None: the price is not known."""
    return run_cost.rates(
        spec,
        settings.region,
        has_address=settings.assign_public_ip,
        has_task_metrics=settings.container_insights == "enhanced",
    )


def slot_run(job: Job, slot: datetime, now: datetime, settings: Settings) -> Run:
    """The run of a slot: always the same id."""
    run_id = ids.of_slot(job.job_id, int(job.schedule_version), slot)
    run = new_run(job, run_id, now, SCHEDULE, settings)
    run.trigger = "schedule"
    run.scheduled_for = slot
    run.due_at = slot + job.delay if job.delay else None
    return run
