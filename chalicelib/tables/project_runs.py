"""The runs of a whole project, from the two indexes that list them (see `run_records`)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from chalicelib.domain.run_states import CANCELLED, FAILED, PENDING, RUNNING
from chalicelib.tables.database import Database
from chalicelib.tables.expressions import just_below
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import Live, Run
from chalicelib.tables.shards import LISTS, lists_of

_FIRST, _LAST = "run_", "run_~"


class Entry(NamedTuple):
    """One run in a list, before it is read."""

    run_id: str
    job_id: str
    trigger: str


class Between(NamedTuple):
    """Run ids: from `first` on, and before each of `before`."""

    first: str | None
    before: Sequence[str | None]

    @property
    def keys(self) -> tuple[str, str]:
        """The lowest and the highest sort key."""
        ends = [just_below(end) for end in self.before if end is not None]
        return self.first or _FIRST, min(ends, default=_LAST)


@dataclass(slots=True)
class ProjectRuns:
    """Reads the runs of a project, newest first, whatever their number."""

    database: Database

    def entries(
        self, project: str, between: Between, status: str | None, page: int | None
    ) -> Iterator[Entry]:
        """
        The runs between those ids, newest first: all but those that cannot have `status`.

        Of the runs in flight those are read consistently; the other lists lag by a moment, and
        are merged from their LISTS partitions. `page`: how many of them will be wanted at once.
        """
        first, last = between.keys
        if first > last:
            return iter(())
        if status in (PENDING, RUNNING):
            return self._in_flight(project, first, last, str(status))
        # some more than their share, so that hardly ever a partition is asked twice
        share = None if page is None else page // LISTS * 2 + LISTS
        if status in (FAILED, CANCELLED):
            keys, index = lists_of(project, status), "unsuccessful"
        else:
            keys, index = lists_of(project, None), "listed"
        lists = [self._list(key, index, first, last, share) for key in keys]
        return heapq.merge(*lists, key=attrgetter("run_id"), reverse=True)

    def _list(
        self, key: str, index: str, first: str, last: str, limit: int | None
    ) -> Iterator[Entry]:
        found = self.database.query(
            Run,
            key,
            sort=Run.sk.between(first, last),
            index=index,
            newest_first=True,
            limit=limit,
        )
        return (Entry(run.sk, run.pk, run.trigger) for run in found)

    def _in_flight(self, project: str, first: str, last: str, status: str) -> Iterator[Entry]:
        found = self.database.query(Live, project, sort=Live.sk.startswith("live#"))
        entries = [
            Entry(live.run_id, live.job_id, live.trigger)
            for live in found
            if live.status == status and first <= live.run_id <= last
        ]
        return iter(sorted(entries, reverse=True))

    def of_entries(self, project: str, entries: Sequence[Entry]) -> list[Run]:
        """Those of the runs that exist and whose jobs are not being deleted, in their order."""
        jobs = list(dict.fromkeys(entry.job_id for entry in entries))
        runs = [(Run, entry.job_id, entry.run_id) for entry in entries]
        found = self.database.get_many([*runs, *((Job, project, job_id) for job_id in jobs)])
        active = {job.job_id for job in found[len(runs) :] if job is not None and job.is_active}
        return [run for run in found[: len(runs)] if run is not None and run.job_id in active]
