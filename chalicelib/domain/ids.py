"""Ids: a prefix and a ULID, so that they sort by time."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ulid import ULID

_ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
JOB = re.compile(f"job_{_ULID}")
RUN = re.compile(f"run_{_ULID}")
ENTRY = re.compile(f"entry_{_ULID}")
"""What ids look like; a text of another form is the id of nothing."""
TENANT = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)
"""What a workspace and a project may be called."""
LAST_ENTRY = "entry_~"
"""Sorts after the ids of all entries of the audit trail."""
_TO_BASE_32 = str.maketrans("ABCDEFGHJKMNPQRSTVWXYZ", "abcdefghijklmnopqrstuv")
"""From a ULID's digits to those of int(); the library's own reading costs 40 ms to import."""


def new_job(now: datetime) -> str:
    return f"job_{_ulid().from_datetime(now)}"


def new_run(now: datetime) -> str:
    return f"run_{_ulid().from_datetime(now)}"


def new_entry(now: datetime) -> str:
    """The id of an entry of the audit trail."""
    return f"entry_{_ulid().from_datetime(now)}"


def of_slot(job_id: str, schedule_version: int, slot: datetime) -> str:
    """
    The id of a slot's run: the slot's time, and a hash of job, schedule version and slot.

    The same slot is always the same run, so that putting it twice fails: no two processes can
    both claim it.
    """
    named = f"{job_id}/{schedule_version}/{int(slot.timestamp())}"
    randomness = hashlib.sha256(named.encode()).digest()[:10]
    milliseconds = int(slot.timestamp() * 1000).to_bytes(6, "big")
    return f"run_{_ulid().from_bytes(milliseconds + randomness)}"


def first_run_at(at: datetime) -> str:
    """The id that sorts before those of all runs made, or due, from `at` on."""
    return f"run_{_first_at(at)}"


def first_entry_at(at: datetime) -> str:
    """The id that sorts before those of all entries made from `at` on."""
    return f"entry_{_first_at(at)}"


def _first_at(at: datetime) -> ULID:
    milliseconds = int(at.timestamp() * 1000)
    return _ulid().from_bytes(milliseconds.to_bytes(6, "big") + bytes(10))


def run_as_bytes(run_id: str) -> bytes:
    """A run's id in 16 bytes instead of 30."""
    return int(run_id.partition("_")[2].translate(_TO_BASE_32), 32).to_bytes(16, "big")


def run_of_bytes(packed: bytes) -> str:
    """The id that `run_as_bytes` packed."""
    return f"run_{_ulid().from_bytes(packed)}"


def of_project(key: str) -> tuple[str, str]:
    """The workspace's and the project's id of a project's key in the tables."""
    workspace_id, project_id = key.split("#", 1)
    return workspace_id, project_id


def made_at(any_id: str) -> datetime | None:
    """When an id was made; None where the text is no id."""
    try:
        return _ulid().from_str(any_id.partition("_")[2]).datetime.astimezone(UTC)
    except ValueError:
        return None


def _ulid() -> type[ULID]:
    from ulid import ULID  # at first use: it reads its own package's metadata when imported

    return ULID
