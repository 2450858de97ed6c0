"""What a caller can ask of the runs of a whole project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from chalicelib.clock import Clock
from chalicelib.domain import ids
from chalicelib.domain.errors import BadRequest
from chalicelib.tables.project_runs import Between, Entry, ProjectRuns
from chalicelib.tables.run_records import Run
from chalicelib.usecases.paging import SPARE_SECONDS, Fits, Page
from chalicelib.usecases.runs import Runs

AT_ONCE = 100
"""Runs that are read together."""


class Wanted(NamedTuple):
    """Which runs of a project."""

    status: str | None
    trigger: str | None
    since: timedelta | datetime | None
    until: timedelta | datetime | None


@dataclass(slots=True)
class RunsOfProjects:
    """The runs of all jobs of a project, as a caller may see them."""

    project_runs: ProjectRuns
    runs: Runs
    clock: Clock

    def list_page(
        self,
        project: str,
        wanted: Wanted,
        *,
        limit: int | None,
        before: str | None,
        fits: Fits[Run],
    ) -> Page[Run]:
        """
        Runs newest first, and the run id to go on before.

        `since` and `until` are compared with the time in a run's id: when it was triggered, or its
        slot. The page ends when it is full, or when its time is up: then it may hold fewer runs
        than were asked for, or none. Those in flight among the newest 100 of the page are
        refreshed; a run that has another `status` afterwards is left out.
        """
        now = self.clock.now()
        between = _between(wanted, before, now)
        # where most may be passed over, whole megabytes of the list are read at once
        page = None if limit is None or wanted.trigger is not None else limit + 1
        entries = self.project_runs.entries(project, between, wanted.status, page)
        taken: list[Run] = []
        last = None
        for batch in _batches(entries, min(page or AT_ONCE, AT_ONCE)):
            for run in self._of_batch(project, batch, wanted, now):
                if taken and (len(taken) == limit or not fits(run)):
                    return self._page(taken, taken[-1].run_id, wanted)
                if not taken:
                    fits(run)
                taken.append(run)
            last = batch[-1].run_id
            if self.clock.remaining() < SPARE_SECONDS:
                return self._page(taken, last, wanted)
        return self._page(taken, None, wanted)

    def _of_batch(
        self, project: str, batch: list[Entry], wanted: Wanted, now: datetime
    ) -> Iterator[Run]:
        entries = [e for e in batch if wanted.trigger is None or e.trigger == wanted.trigger]
        for run in self.project_runs.of_entries(project, entries):
            if wanted.status in (None, run.status) and not run.is_expired(now):
                yield run

    def _page(self, taken: list[Run], last: str | None, wanted: Wanted) -> Page[Run]:
        runs = self.runs.refreshed(taken)
        return Page([run for run in runs if wanted.status in (None, run.status)], last)


def _batches(entries: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    ahead = iter(entries)
    while batch := list(islice(ahead, size)):
        yield batch


def _between(wanted: Wanted, before: str | None, now: datetime) -> Between:
    since, until = (
        now - at if isinstance(at, timedelta) else at for at in (wanted.since, wanted.until)
    )
    if since is not None and until is not None and since >= until:
        raise BadRequest("Query parameters: since must be before until.")
    first, last = (None if at is None else ids.first_run_at(at) for at in (since, until))
    return Between(first, (before, last))
