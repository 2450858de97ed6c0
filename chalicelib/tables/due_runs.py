"""The sweep's index of runs, `in_flight`: those that it must look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from chalicelib.tables.database import Database
from chalicelib.tables.run_records import Run


class DueRun(NamedTuple):
    """A run that the sweep should look at, as the index `in_flight` names it."""

    job_id: str
    run_id: str
    project: str


@dataclass(slots=True)
class DueRunsTable:
    """Reads the index `in_flight`, which lags: each run is read again before it is acted on."""

    database: Database

    def due(self, shard_number: int, now: datetime, limit: int) -> list[DueRun]:
        """Runs in one shard that the sweep should look at, the longest due first."""
        page, _ = self.database.query_page(
            Run, str(shard_number), sort=Run.look_at <= now, index="in_flight", limit=limit
        )
        return [DueRun(run.pk, run.sk, run.project) for run in page]

    def all_due(self, shard_number: int, now: datetime) -> Iterator[DueRun]:
        """All in one shard that the sweep should look at, the longest due first."""
        found = self.database.query(
            Run, str(shard_number), sort=Run.look_at <= now, index="in_flight"
        )
        return (DueRun(run.pk, run.sk, run.project) for run in found)
