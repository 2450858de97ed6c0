"""
The runs of a job that finished last, in the record of its counts.

They are a list of always KEPT elements, so that the transaction that counts a run adds it at the
end and removes the first one, without reading the list. Each is packed into some 35 bytes: with 20
of them the record stays within the kilobyte that one write unit pays for, unless most of them
failed, since those also carry their error's code.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pynamodb.expressions.update import Action

from chalicelib.domain import ids
from chalicelib.domain.run_states import CANCELLED, FAILED, SUCCEEDED
from chalicelib.tables.run_records import Live, Run, Stats

KEPT = 20
EMPTY = b"-"
"""Stands for a run while a job has finished fewer than KEPT."""
_BEHIND_THE_END = 9_999
"""DynamoDB appends an element that is set behind a list's end (Expressions.UpdateExpressions)."""
_STATUSES = (SUCCEEDED, FAILED, CANCELLED)
_TRIGGERS = ("manual", "schedule")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID, _TIME = 16, 6
"""Bytes of an id, and of a time in milliseconds."""
_SIZE = _ID + 2 + 3 * _TIME


class RecentRun(NamedTuple):
    """What a list of jobs shows of a run."""

    run_id: str
    status: str
    error_code: str | None
    trigger: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    """Of a cancelled run: when it was cancelled, its container may have stopped later."""

    @classmethod
    def of_live(cls, live: Live) -> RecentRun:
        """A run that is in flight."""
        return cls(
            live.run_id,
            live.status,
            None,
            live.trigger,
            live.created_at,
            live.started_at,
            None,
        )


def added(run: Run) -> list[Action]:
    """The actions on `Stats` that note a run that becomes terminal."""
    return [Stats.recent[_BEHIND_THE_END].set(pack(run)), Stats.recent[0].remove()]


def pack(run: Run) -> bytes:
    """A run that is over, as the list has it."""
    kind = bytes([_STATUSES.index(run.status), _TRIGGERS.index(run.trigger)])
    ended = run.finished_at or run.stopping_since
    times = [_packed(at) for at in (run.created_at, run.started_at, ended)]
    code = (run.error or {}).get("code", "").encode()
    return b"".join([ids.run_as_bytes(run.run_id), kind, *times, code])


def none_yet() -> list[bytes]:
    """The list of a new job."""
    return [EMPTY] * KEPT


def unpacked(recent: Iterable[bytes]) -> list[RecentRun]:
    """The runs of such a list, in its order."""
    return [_unpack(packed) for packed in recent if packed != EMPTY]


def _unpack(packed: bytes) -> RecentRun:
    starts = range(_ID + 2, _SIZE, _TIME)
    created, started, finished = (_time(packed[start : start + _TIME]) for start in starts)
    assert created is not None  # every run was made some time
    return RecentRun(
        ids.run_of_bytes(packed[:_ID]),
        _STATUSES[packed[_ID]],
        packed[_SIZE:].decode() or None,
        _TRIGGERS[packed[_ID + 1]],
        created,
        started,
        finished,
    )


def _packed(at: datetime | None) -> bytes:
    milliseconds = 0 if at is None else (at - _EPOCH) // timedelta(milliseconds=1)
    return milliseconds.to_bytes(_TIME, "big")


def _time(packed: bytes) -> datetime | None:
    milliseconds = int.from_bytes(packed, "big")
    return _EPOCH + timedelta(milliseconds=milliseconds) if milliseconds else None
