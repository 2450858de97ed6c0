"""Time zones: their names, their offsets, and when their clocks go forward."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from chalicelib.domain.cron import InvalidSchedule

HORIZON = range(2026, 2068)
"""Years whose clock changes are known: a whole cycle of dates and weekdays (28), of Ramadan
(33), which moves Morocco's and Gaza's, and of 29 February on a given weekday (40 at most)."""

_PROBE = timedelta(days=5)
"""Shorter than any time that a zone keeps an offset within the horizon: a week (Gaza, 2040)."""
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Skip:
    """Clocks going forward: the first UTC minute after it, and the local minutes left out."""

    minute: int
    missing: range


@dataclass(frozen=True, slots=True)
class Clock:
    """What a zone does within the horizon; offsets in minutes ahead of UTC."""

    offsets: frozenset[int]
    skips: tuple[Skip, ...]


def check_timezone(name: str) -> None:
    """Raises InvalidSchedule unless `name` is a zone of the IANA database."""
    if name not in _names():
        raise InvalidSchedule(
            f"`{name[:64]}` is not the name of an IANA time zone: use one such as "
            "`Europe/Berlin`, or `UTC`"
        )


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    from importlib import resources  # slow to import, and only a new schedule needs it

    # Not zoneinfo.available_timezones(): it opens every file, and adds what the machine has.
    return frozenset(resources.files("tzdata").joinpath("zones").read_text().split())


def shown(zone: ZoneInfo, minute: int) -> tuple[int, bool]:
    """The local minute that clocks show at a UTC minute, and whether they show it again."""
    local = datetime.fromtimestamp(minute * 60, zone)
    return minute + _ahead(local.utcoffset()), local.fold == 1


def offset(zone: ZoneInfo, minute: int) -> int:
    """How many minutes local time is ahead of UTC at a UTC minute."""
    return _ahead(datetime.fromtimestamp(minute * 60, zone).utcoffset())


@lru_cache(maxsize=64)
def clock(name: str) -> Clock:
    """The zone's offsets and skips."""
    zone = ZoneInfo(name)
    noon, end = datetime(HORIZON.start, 1, 1, 12), datetime(HORIZON.stop, 1, 1)
    before = zone.utcoffset(noon)
    offsets, skips = {_ahead(before)}, []
    while noon < end:
        noon += _PROBE
        after = zone.utcoffset(noon)
        if after != before:
            offsets.add(_ahead(after))
            if _ahead(after) > _ahead(before):
                skips.append(_skip(zone, noon, _ahead(before), _ahead(after)))
            before = after
    return Clock(frozenset(offsets), tuple(skips))


def _skip(zone: ZoneInfo, noon: datetime, before: int, after: int) -> Skip:
    """The skip between a probe and the one before it."""
    end = (noon - _EPOCH) // _MINUTE - after
    between = range(end - _PROBE // _MINUTE, end)
    change = between[bisect_left(between, after, key=partial(offset, zone))]
    return Skip(change, range(change + before, change + after))


def _ahead(offset: timedelta | None) -> int:
    assert offset is not None  # a ZoneInfo always has one
    return offset // _MINUTE
