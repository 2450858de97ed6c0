"""
How much of its quotas each workspace uses: its runs in flight, and its jobs.

One record of a workspace has the number of each. What is counted carries the mark `counted`: the
transaction that counts a job or a run sets the mark, and the one that takes it off the number again
does so only if the mark is there, and removes it. So the number is that of the marks at every
moment, whatever dies, comes twice or never comes, and also where a quota was set or removed in
between. Without a quota nothing new is counted, and no record is written for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pynamodb.expressions.update import Action

from chalicelib.domain import ids
from chalicelib.settings import Settings
from chalicelib.tables.database import Database
from chalicelib.tables.records import ACTIVE, Job, SortedRecord, whole
from chalicelib.tables.run_records import Live, Run
from chalicelib.tables.transaction import Transaction

_USAGE = "usage"
_PROJECTS = "usage"


class Usage(SortedRecord):
    """`pk = <workspace>#, sk = usage`: no project has that key, since none has an empty id."""

    table = ""
    number = whole(default=0)
    changes = whole(default=0)
    """Raised by every write, so that `put_right` fails if anything was counted meanwhile."""


class UsedJobs(Usage):
    """The active jobs of a workspace, counted wherever there is a quota, also of runs alone."""

    table = "jobs"


class UsedRuns(Usage):
    """The runs in flight of a workspace."""

    table = "runs"


class UsedProject(SortedRecord):
    """`pk = usage, sk = <workspace>#<project>`: a project in which a job was counted, so that what
    a workspace uses can be found without reading a whole table. It stays."""

    table = "jobs"


def workspace_of(project: str) -> str:
    """The workspace of a project."""
    return ids.of_project(project)[0]


def _key(workspace: str) -> str:
    return f"{workspace}#"


def count_new_job(transaction: Transaction, job: Job, settings: Settings) -> None:
    """Count a job that the transaction makes, if there are quotas; under the label `quota` on
    condition that that of jobs is not used up."""
    if settings.has_quotas:
        job.counted = True
        count_job(transaction, job, 1, settings.max_jobs)


def count_job(transaction: Transaction, job: Job, by: int, quota: int = 0) -> None:
    """Count a job or take it off, along with its mark."""
    _count(transaction, UsedJobs, job.pk, by, quota)
    if by > 0:
        transaction.put("usage", UsedProject(_PROJECTS, job.pk), None)


def count_new_run(transaction: Transaction, run: Run, quota: int) -> None:
    """Count a run that the transaction makes, if there is a quota; under the label `quota` on
    condition that it is not used up."""
    if quota:
        run.counted = True
        _count(transaction, UsedRuns, run.project, 1, quota)


def count_run(transaction: Transaction, run: Run, after: Run, quota: int) -> dict[str, Any]:
    """
    The changes of a run's mark, counted in `transaction`; `after` is the run as it will be.

    A run that leaves flight is taken off once, since it leaves flight once. One that is in flight
    without the mark, because there was no quota when it was claimed, is counted with its next
    change: every run in flight has one within ten minutes.
    """
    counted = True if after.live and (run.counted or quota) else None
    if counted == run.counted:
        return {}
    _count(transaction, UsedRuns, run.project, 1 if counted else -1)
    after.counted = counted
    return {"counted": counted}


def _count(
    transaction: Transaction, model: type[Usage], project: str, by: int, quota: int = 0
) -> None:
    """Change the number of a project's workspace; with `quota` on condition that it is lower."""
    usage = model(_key(workspace_of(project)), _USAGE)
    has_room = model.pk.does_not_exist() | (model.number < quota) if quota else None
    actions: list[Action] = [model.number.add(by), model.changes.add(1)]
    transaction.update("quota" if quota else "usage", usage, actions, has_room)


@dataclass(slots=True)
class UsageTable:
    """Reads what workspaces use, and puts it right."""

    database: Database

    def get(self, model: type[Usage], workspace: str) -> Usage:
        """What a workspace uses; nothing yet if there is no record."""
        return self.database.get(model, _key(workspace), _USAGE) or model(_key(workspace), _USAGE)

    def projects(self, after: str) -> Iterator[str]:
        """The projects of the workspaces whose ids come after `after` in which a job was ever
        counted, by workspace."""
        sort = UsedProject.sk > f"{after}#~"
        return (found.sk for found in self.database.query(UsedProject, _PROJECTS, sort=sort))

    def projects_of(self, workspace: str) -> list[str]:
        """Those of one workspace."""
        sort = UsedProject.sk.startswith(_key(workspace))
        return [found.sk for found in self.database.query(UsedProject, _PROJECTS, sort=sort)]

    def count_job(self, job: Job) -> bool:
        """Count an active job that was created without a quota; False: it is counted or gone."""
        uncounted = Job.pk.exists() & (Job.state == ACTIVE) & Job.counted.does_not_exist()
        transaction = Transaction(self.database)
        transaction.update("job", Job(job.pk, job.sk), [Job.counted.set(True)], uncounted)
        count_job(transaction, job, 1)
        return not transaction.commit()

    def marked(self, model: type[Usage], project: str) -> int:
        """How many jobs or runs of a project carry the mark."""
        if model is UsedJobs:
            sort, where = Job.sk.between("job_", "job_~"), Job.counted.exists()
            found: Iterator[Any] = self.database.query(
                Job, project, sort=sort, where=where, attributes=["pk", "sk"]
            )
        else:
            sort, where = Live.sk.between("live#", "live#~"), Live.counted.exists()
            found = self.database.query(
                Live, project, sort=sort, where=where, attributes=["pk", "sk"]
            )
        return sum(1 for _ in found)

    def put_right(self, usage: Usage, number: int) -> bool:
        """Set a number, unless anything was counted since `usage` was read."""
        model = type(usage)
        unchanged = model.changes == usage.changes if usage.changes else model.pk.does_not_exist()
        actions: list[Action] = [model.number.set(number), model.changes.add(1)]
        return self.database.update(usage, actions, unchanged)
