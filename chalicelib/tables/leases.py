"""Leases: what only one function at a time should do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.tables.database import Database
from chalicelib.tables.expressions import actions_of
from chalicelib.tables.records import Lease


@dataclass(slots=True)
class LeasesTable:
    """The leases in the jobs table."""

    database: Database

    def take(self, name: str, holder: str, now: datetime, until: datetime) -> bool:
        """
        Take a lease, or prolong it, until a time. False: another one holds it.

        Whoever holds it and dies keeps it until its time.
        """
        free = Lease.pk.does_not_exist() | (Lease.until <= now) | (Lease.holder == holder)
        changes = {"holder": holder, "until": until}
        return self.database.update(Lease("lease", name), actions_of(Lease, changes), free)

    def give_back(self, name: str, holder: str, now: datetime) -> bool:
        """End a lease before its time. False: another one holds it by now."""
        mine = Lease.holder == holder
        return self.database.update(Lease("lease", name), actions_of(Lease, {"until": now}), mine)
