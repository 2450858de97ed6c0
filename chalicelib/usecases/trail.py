"""What a caller can ask of the audit trail: who changed what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.clock import Clock
from chalicelib.domain import ids
from chalicelib.domain.errors import BadRequest
from chalicelib.tables.expressions import just_below
from chalicelib.tables.records import AuditEntry
from chalicelib.tables.trail import KEPT, TrailTable
from chalicelib.usecases.paging import Fits, Page, take


@dataclass(slots=True)
class Trail:
    """The audit trail of every project, as a caller may see it."""

    trail_table: TrailTable
    clock: Clock

    def list_page(
        self,
        project: str,
        span: tuple[timedelta | datetime | None, timedelta | datetime | None],
        limit: int | None,
        before: str | None,
        fits: Fits[AuditEntry],
    ) -> Page[AuditEntry]:
        """
        Entries newest first, from the beginning of `span` and before its end, and the id to go on
        before.
        """
        now = self.clock.now()
        start, end = (now - at if isinstance(at, timedelta) else at for at in span)
        if start is not None and end is not None and start >= end:
            raise BadRequest("Query parameters: since must be before until.")
        # DynamoDB's TTL may be two days late
        first = ids.first_entry_at(max(start or now - KEPT, now - KEPT))
        ends = [ids.LAST_ENTRY] if end is None else [ids.first_entry_at(end)]
        last = min(just_below(one) for one in (*ends, *([before] if before else [])))
        if first > last:
            return Page([], None)
        page = None if limit is None else limit + 1
        found = self.trail_table.newest(project, first, last, page)
        entries, more = take(found, limit, fits, self.clock)
        return Page(entries, entries[-1].sk if more else None)
