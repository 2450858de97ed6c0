"""
The part of the audit that counts what workspaces use, where the operator has set quotas.

It begins to count the jobs that were there before the quotas, and it puts a number right that
differs from what it counts. No step of Jobyard makes it differ; a version without quotas does that
runs for a while in between, and so does a person who changes records by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from chalicelib import log
from chalicelib.clock import Clock
from chalicelib.cloud.ecs import Ecs
from chalicelib.settings import Settings
from chalicelib.tables.jobs import JobsTable
from chalicelib.tables.usage import Usage, UsageTable, UsedJobs, UsedRuns, workspace_of

ENOUGH = 8.0
"""Seconds left under which no further workspace is begun."""
SETTLED = 2.0
"""Seconds until a transaction that is being stored shows in every record that it changes."""


@dataclass(slots=True)
class UsageAudit:
    """Keeps the numbers of `usage` right."""

    usage_table: UsageTable
    jobs_table: JobsTable
    ecs: Ecs
    settings: Settings
    clock: Clock

    def count_jobs(self, token: str | None) -> str | None:
        """
        Count the jobs that no transaction counted, since they were created without quotas.

        A page is one of task definitions, of which every active job has one. Runs in flight need no
        such page: each is counted with its next change.
        """
        arns, token = self.ecs.definitions(token)
        for job in self.jobs_table.of_ids([self.ecs.job_of(arn) for arn in arns]).values():
            if job is not None and job.is_active and not job.counted:
                self.usage_table.count_job(job)
        return token

    def check(self, after: str | None) -> str | None:
        """
        Check the workspaces in the order of their ids, those behind `after` if given; the id to go
        on after, or None.
        """
        after = after or ""
        for workspace, _ in groupby(self.usage_table.projects(after), key=workspace_of):
            if self.clock.remaining() < ENOUGH:
                return after
            for model in (UsedJobs, UsedRuns):
                self._check(model, workspace)
            after = workspace
        return None

    def _check(self, model: type[Usage], workspace: str) -> None:
        """
        Put a workspace's number right if it differs from what carries the mark.

        Records are read one after the other, while transactions change several. So a difference
        counts only if it is still the same after some seconds, nothing was counted meanwhile, and
        nothing is until the right number is stored.
        """
        usage = self.usage_table.get(model, workspace)
        if usage.number == self._marked(model, workspace):
            return
        self.clock.sleep(SETTLED)
        again = self.usage_table.get(model, workspace)
        marked = self._marked(model, workspace)
        if again.changes != usage.changes or again.number == marked:
            return  # it is in use: the next audit looks again
        was = int(again.number)
        if self.usage_table.put_right(again, marked):
            ids = {"workspace": workspace, "counts": model.table}
            log.warning("usage put right", **ids, was=was, found=marked)

    def _marked(self, model: type[Usage], workspace: str) -> int:
        projects = self.usage_table.projects_of(workspace)
        return sum(self.usage_table.marked(model, project) for project in projects)
