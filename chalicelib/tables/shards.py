"""Which partition of the sweep's two sparse indexes a record belongs to."""

from __future__ import annotations

import hashlib


def shard(record_id: str, count: int) -> str:
    """`0` to `count` - 1, always the same for one id."""
    return str(hashlib.sha256(record_id.encode()).digest()[0] % count)
