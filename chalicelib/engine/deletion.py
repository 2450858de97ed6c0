"""Clears up what a deleted job leaves behind, in turns of bounded length."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.cloud.ecs import Ecs
from chalicelib.cloud.logs import Logs
from chalicelib.cloud.rules import Rules
from chalicelib.domain.run_states import PENDING
from chalicelib.engine.lifecycle import Lifecycle
from chalicelib.settings import Settings
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.records import Job
from chalicelib.tables.runs import RunsTable

AGAIN = timedelta(seconds=15)
BATCH = 500
"""Records of a job that are removed between two checks of the deadline."""
AT_ONCE = 100
"""Runs that are cancelled, or announced, between two checks of the deadline."""
ENOUGH = 1.0
"""No further batch is begun with fewer seconds left than this."""


@dataclass(slots=True)
class Deletion:
    """Clears up after deleted jobs."""

    jobs_table: JobsTable
    runs_table: RunsTable
    lifecycle: Lifecycle
    ecs: Ecs
    rules: Rules
    cloudwatch_logs: Logs
    settings: Settings
    clock: Clock

    def turn(self, job: Job) -> bool:
        """
        Go on with clearing up after a job that is `deleting`; returns whether nothing is left.

        1. Rules, so that nothing fires any more.
        2. Runs in flight are cancelled. They stay until their tasks are known to have stopped,
        since a task's event finds its job through its run.
        3. Log group and task definitions.
        4. Runs, in batches; counts and the job itself come last.

        Each step finds by itself what is left to do, so dying anywhere, or two turns at once, only
        repeats removals of what is gone already.
        """
        self.rules.remove([rule["Name"] for rule in self.rules.of_job(job.job_id)])
        if not self._stopped(job):
            self.jobs_table.put_off(job, self.clock.now() + AGAIN)
            return False
        self.cloudwatch_logs.delete_group(self.settings.log_group(job.job_id))
        family = self.settings.family(job.job_id)
        while revisions := self.ecs.revisions(family):
            self.ecs.retire(revisions)
        if not self._emptied(job):
            self.jobs_table.put_off(job, self.clock.now() + AGAIN)
            return False
        self.jobs_table.remove(job)
        log.info("job cleared up", job_id=job.job_id)
        return True

    def _stopped(self, job: Job) -> bool:
        """
        Whether nothing of the job is in flight; cancels what is, and asks ECS about it.

        Runs without a task come first, since their cancel needs no call to ECS: else they would
        start while the others are being stopped.
        """
        live = self.runs_table.live(job.pk, job.job_id)
        pending = [run_id for run_id, status in live if status == PENDING]
        launched = [run_id for run_id, status in live if status != PENDING]
        for run in self.runs_table.of_job(job.job_id, pending):
            if run.task_arn is None:
                self.lifecycle.cancel(run, "job_deleted")
            else:
                launched.append(run.run_id)
            if self.clock.remaining() < ENOUGH:
                return False
        for start in range(0, len(launched), AT_ONCE):
            if self.clock.remaining() < ENOUGH:
                return False
            found = self.runs_table.of_job(job.job_id, launched[start : start + AT_ONCE])
            cancelled = [self.lifecycle.cancel(run, "job_deleted") for run in found]
            self.lifecycle.refresh([run for run in cancelled if run is not None])
        return not live or not self.runs_table.live(job.pk, job.job_id)

    def _emptied(self, job: Job) -> bool:
        """Whether the job has no runs and keys any more; removes as many as there is time for."""
        while keys := self.runs_table.page_of_keys(job.job_id, BATCH):
            if self.clock.remaining() < ENOUGH:
                return False
            due = [key for key in keys if key.announce]
            for run in self.runs_table.get_many([(key.pk, key.sk) for key in due[:AT_ONCE]]):
                self.lifecycle.announce(run)
            removable = [(key.pk, key.sk) for key in keys if not key.announce]
            self.runs_table.delete_many(removable)
            if due and not removable:
                return False  # the bus is down: their events come first
        return True
