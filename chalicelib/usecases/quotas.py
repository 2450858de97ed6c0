"""The quotas of a workspace, as its callers meet them: 409 `quota_exceeded`."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.errors import Conflict
from chalicelib.settings import Settings
from chalicelib.tables.usage import UsageTable, UsedJobs, UsedRuns, workspace_of


@dataclass(slots=True)
class Quotas:
    """What the operator lets each workspace use."""

    usage_table: UsageTable
    settings: Settings

    def check_jobs(self, project: str) -> None:
        """
        Refuse a job early, before anything is made for it in AWS; without a quota nothing is read.

        It is the transaction that stores the job which keeps to the quota.
        """
        quota = self.settings.max_jobs
        if quota and self.usage_table.get(UsedJobs, workspace_of(project)).number >= quota:
            raise self.jobs_used_up(project)

    def jobs_used_up(self, project: str) -> Conflict:
        """The error of a job that a transaction has refused."""
        workspace, quota = workspace_of(project), self.settings.max_jobs
        used = max(quota, int(self.usage_table.get(UsedJobs, workspace).number))
        return _exceeded(workspace, used, "job", "", quota, "Delete some")

    def runs_used_up(self, project: str) -> Conflict:
        """The error of a run that a transaction has refused."""
        workspace, quota = workspace_of(project), self.settings.max_runs_in_flight
        used = max(quota, int(self.usage_table.get(UsedRuns, workspace).number))
        do = "Wait until some have ended, cancel some"
        return _exceeded(workspace, used, "run", " in flight", quota, do)


def _exceeded(workspace: str, used: int, what: str, how: str, quota: int, do: str) -> Conflict:
    number = f"{used:,} {what}{'' if used == 1 else 's'}{how}"
    used_up = f"The workspace {workspace} has {number}, and its quota is {quota:,}."
    message = f"{used_up} {do}, or ask the operator for more."
    return Conflict(message, code="quota_exceeded")
