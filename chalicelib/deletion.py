"""What a deleted job leaves behind, cleared up within bounded turns."""

from __future__ import annotations

from datetime import timedelta

from chalicelib import lifecycle, log
from chalicelib.cloud import aws
from chalicelib.services import Services
from chalicelib.tables import jobs as jobs_table
from chalicelib.tables import runs as table
from chalicelib.tables.records import Job

AGAIN = timedelta(seconds=15)
BATCH = 500
ENOUGH = 1.0
"""Seconds of the caller's time under which no further batch is begun."""


def turn(job: Job, *, on: Services) -> bool:
    """
    Go on with clearing up after a job that is `deleting`; whether nothing is left.

    1. Rules, so that nothing fires any more.
    2. What is in flight is cancelled, and must be known to have stopped: until then the runs
       stay, since they are the way from a task back to here.
    3. Log group and task definitions.
    4. Runs, in batches; counts and the job itself come last.

    Each step finds by itself what is left of it, so dying anywhere, or two turns at once, only
    repeats calls that say "gone already".
    """
    on.rules.remove([rule["Name"] for rule in on.rules.of_job(job.job_id)])
    if not _stopped(job, on=on):
        jobs_table.put_off(job, on.now() + AGAIN)
        return False
    on.logs.delete_group(on.settings.log_group(job.job_id))
    family = on.settings.family(job.job_id)
    while revisions := on.ecs.revisions(family):
        on.ecs.retire(revisions)
    if not _emptied(job, on=on):
        jobs_table.put_off(job, on.now() + AGAIN)
        return False
    jobs_table.remove(job)
    log.info("job cleared up", job_id=job.job_id)
    return True


def _stopped(job: Job, *, on: Services) -> bool:
    """Whether no run of the job is in flight any more; cancels and asks about those that are."""
    live = [run_id for run_id, _ in table.live(job.job_id)]
    for start in range(0, len(live), 100):
        if aws.remaining() < ENOUGH:
            return False
        found = table.get_many([(job.job_id, run_id) for run_id in live[start : start + 100]])
        cancelled = [lifecycle.cancel(run, "job_deleted", on=on) for run in found]
        lifecycle.refresh([run for run in cancelled if run is not None], on=on)
    return not live or not table.live(job.job_id)


def _emptied(job: Job, *, on: Services) -> bool:
    """Whether the job has no runs and keys any more; removes as many as there is time for."""
    while keys := table.page_of_keys(job.job_id, BATCH):
        if aws.remaining() < ENOUGH:
            return False
        due = [key for key in keys if key.announce]
        for run in table.get_many([(key.pk, key.sk) for key in due[:100]]):
            lifecycle.announce(run, on=on)
        removable = [(key.pk, key.sk) for key in keys if not key.announce]
        table.delete_many(removable)
        if due and not removable:
            return False  # the bus is down: their events come first
    return True
