"""RunTask's overrides: a run's own command and variables."""

from __future__ import annotations

from chalicelib.cloud.ecs import overrides
from chalicelib.domain.times import iso
from chalicelib.tables.run_records import Run


def run_overrides(run: Run) -> dict[str, object]:
    """
    RunTask's overrides for a run's current attempt.

    A run that a version before `triggered_by` claimed keeps the variables that it had then: ECS
    refuses a client token that comes again with other overrides, and they may be too long.
    """
    own = {
        "JOBYARD_JOB_ID": run.job_id,
        "JOBYARD_RUN_ID": run.run_id,
        "JOBYARD_ATTEMPT": str(run.attempt),
    }
    if run.triggered_by is not None:
        own |= {
            "JOBYARD_TRIGGER": run.trigger,
            "JOBYARD_JOB_NAME": run.job_name,
            "JOBYARD_MAX_ATTEMPTS": str(run.max_attempts),
        }
    if run.scheduled_for is not None:
        own["JOBYARD_SCHEDULED_FOR"] = str(iso(run.scheduled_for))
    return overrides(run.command if run.overridden else None, run.env or {}, own)
