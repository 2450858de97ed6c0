"""A page of a list over HTTP: where it begins, what fits into it, and its answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from chalicelib.domain import ids
from chalicelib.http import views
from chalicelib.http.answer import Answer, ok
from chalicelib.http.cursors import decode_cursor, encode_cursor
from chalicelib.http.room import Rendered

if TYPE_CHECKING:
    from chalicelib.tables.records import AuditEntry, Job
    from chalicelib.tables.run_records import Run
    from chalicelib.usecases.paging import Page

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """One page of the list `kind` of `scope` (a project, a job)."""

    kind: str
    scope: str
    noun: str
    before: str | None
    """The id that the cursor names: the page begins behind it."""
    room: Rendered[T]
    nouns: str | None = None
    """The plural, where it is not `noun` with an s."""

    def answer(self, page: Page[T], more: Callable[[T], dict[str, Any]] = lambda _: {}) -> Answer:
        """The page's records, each with what `more` adds to it, and the cursor of the next page."""
        shown = self.room.all(page.records)
        rows = [row | more(record) for row, record in zip(shown, page.records, strict=True)]
        cursor = page.last and encode_cursor(self.kind, self.scope, {"before": page.last})
        nouns = self.nouns or f"{self.noun}s"
        counted = f"{len(rows)} {self.noun if len(rows) == 1 else nouns}."
        return ok(counted, {nouns: rows, "next_cursor": cursor})


def of_jobs(project: str, cursor: str | None) -> Listing[Job]:
    scope = f"{project}/jobs"
    before = _before(cursor, "jobs", scope, ids.JOB)
    return Listing("jobs", scope, "job", before, Rendered(views.job))


def of_runs(kind: str, scope: str, cursor: str | None) -> Listing[Run]:
    room = Rendered(views.run, changes=lambda run: run.live is not None)
    return Listing(kind, scope, "run", _before(cursor, kind, scope, ids.RUN), room)


def of_audit_entries(project: str, cursor: str | None) -> Listing[AuditEntry]:
    before = _before(cursor, "audit", project, ids.ENTRY)
    return Listing("audit", project, "entry", before, Rendered(views.audit_entry), "entries")


def _before(cursor: str | None, kind: str, scope: str, form: re.Pattern[str]) -> str | None:
    return None if cursor is None else decode_cursor(kind, scope, cursor, before=form)["before"]
