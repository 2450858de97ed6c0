"""
The audit trail: its entries, and how they are read.

An entry is put by the transaction that makes the change which it tells of, so that neither is
there without the other. A project's entries have a partition of their own in the jobs table, and
those about tokens, which may be valid in several projects, one for each workspace. No partition is
hot: one takes 1,000 write units a second and an entry 2, and the API answers 429 long before.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter

from chalicelib.domain import ids
from chalicelib.domain.change import Change
from chalicelib.tables.database import Database
from chalicelib.tables.records import AuditEntry

KEPT = timedelta(days=365)
"""After it TTL removes an entry, and nobody is shown it any more."""


def entry_in_project(project: str, change: Change) -> AuditEntry:
    """The entry of a change of a job or a run."""
    return _entry(_of_project(project), change)


def entry_about_token(workspace: str, projects: list[str] | None, change: Change) -> AuditEntry:
    """The entry of a change of a token that is valid in `projects`; None: in all."""
    entry = _entry(_of_workspace(workspace), change)
    entry.projects = projects
    return entry


def _entry(partition: str, change: Change) -> AuditEntry:
    return AuditEntry(
        partition,
        ids.new_entry(change.at),
        at=change.at,
        token_id=change.by.token_id,
        token_name=change.by.name,
        action=change.action,
        target=change.target,
        target_name=change.target_name,
        job_id=change.job_id,
        fields=sorted(change.fields),
        expires=change.at + KEPT,
    )


def _of_project(project: str) -> str:
    # no project's own key has two of these signs
    return f"audit#{project}"


def _of_workspace(workspace: str) -> str:
    return f"audit#{workspace}#"


@dataclass(slots=True)
class TrailTable:
    """Reads the audit trail."""

    database: Database

    def newest(self, project: str, first: str, last: str, page: int | None) -> Iterator[AuditEntry]:
        """
        The entries of a project with ids from `first` to `last`, newest first: those of its jobs
        and runs, and of the tokens that are valid in it. `page`: how many will be wanted at once.
        """
        workspace, project_id = ids.of_project(project)

        def read(partition: str) -> Iterator[AuditEntry]:
            between = AuditEntry.sk.between(first, last)
            return self.database.query(
                AuditEntry, partition, sort=between, newest_first=True, limit=page
            )

        tokens = (
            entry
            for entry in read(_of_workspace(workspace))
            if entry.projects is None or project_id in entry.projects
        )
        lists = (read(_of_project(project)), tokens)
        return heapq.merge(*lists, key=attrgetter("sk"), reverse=True)
