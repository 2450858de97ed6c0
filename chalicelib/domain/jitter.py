"""
Jitter: by how much later than its slots a job starts, so that not all jobs of a minute start at
once. Pure.

A job's delay follows from its id. So it is the same for every slot, and whoever needs it calculates
it: the rules that wake the schedule are moved by it, and a slot is due only once it has passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zlib import crc32

LONGEST = 3_600
"""Seconds."""


def delay(job_id: str, spec: Mapping[str, Any]) -> timedelta:
    """
    How much later than its slots a job starts: at most `jitter_seconds`, rounded up to minutes.

    It is a whole number of minutes, because what wakes a schedule does so by the minute.
    """
    most = -(-int(spec.get("jitter_seconds", 0)) // 60)  # absent: stored by an older version
    return timedelta(minutes=crc32(job_id.encode()) % (most + 1))
