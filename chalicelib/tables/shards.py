"""Which partition of an index a record belongs to."""

from __future__ import annotations

import hashlib
from datetime import datetime

LISTS = 4
"""
Partitions of a project's list of runs. One takes 1,000 write units a second, a claim writes 2 into
it, so 4 take 2,000 claims a second of one project, a hundred times what Fargate starts. More would
only make a page more queries: each reads all of them and merges.
"""


def shard(record_id: str, count: int, due_at: datetime | None) -> str | None:
    """
    `0` to `count` - 1, always the same for one id; None for a record with nothing due, since a
    sparse index needs both of its keys or neither.
    """
    return None if due_at is None else str(_number(record_id, count))


def listed(project: str, run_id: str) -> str:
    """The partition of its project's list that a run is in."""
    return f"{project}#{_number(run_id, LISTS)}"


def lists_of(project: str, status: str | None) -> list[str]:
    """The partitions of a project's list, or of its list of runs with an unsuccessful status."""
    ending = "" if status is None else f"#{status}"
    return [f"{project}#{number}{ending}" for number in range(LISTS)]


def _number(record_id: str, count: int) -> int:
    return hashlib.sha256(record_id.encode()).digest()[0] % count
