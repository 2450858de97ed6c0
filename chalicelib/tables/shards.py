"""Which partition of the sweep's two sparse indexes a record belongs to."""

from __future__ import annotations

import hashlib
from datetime import datetime


def shard(record_id: str, count: int, due_at: datetime | None) -> str | None:
    """
    `0` to `count` - 1, always the same for one id; None for a record with nothing due, since a
    sparse index needs both of its keys or neither.
    """
    if due_at is None:
        return None
    return str(hashlib.sha256(record_id.encode()).digest()[0] % count)
