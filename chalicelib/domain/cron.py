"""
The standard cron expression: five fields, and the local minutes they match. Knows no time zone.

The grammar is our own and strict, because the cron libraries accept far more than the standard (a
sixth field, `?`, `L`, `R`, `*/61`, `22-2`), and not always with the meaning that the user intended.
An expression means what it means to Debian's cron; docs/decisions/0003-cron-semantics.md decides
the cases where crons differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

DAY = 24 * 60
"""Minutes in a day. A minute, here, is an int: since 1970-01-01T00:00, local or UTC."""

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY = 4  # a Thursday, counted from Sunday
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MAX_LENGTH = 256

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class InvalidSchedule(ValueError):
    """A refused schedule or time zone; its text tells the user what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int
    """The last value of `*`; Sunday may also be written as 7, one more than the last."""
    names: tuple[str, ...] = ()

    @property
    def greatest(self) -> int:
        return 7 if self is _DAY_OF_WEEK else self.last

    @property
    def allowed(self) -> str:
        names = f" (or {self.names[0]} to {self.names[-1]})" if self.names else ""
        return f"{self.first} to {self.greatest}{names}"


_DAY_OF_WEEK = _Field("day-of-week", 0, 6, WEEKDAYS)
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day-of-month", 1, 31),
    _Field("month", 1, 12, MONTHS),
    _DAY_OF_WEEK,
)

_TERM = re.compile(r"(?:\*|([0-9]+|[a-z]+)(?:-([0-9]+|[a-z]+))?)(?:/([0-9]+))?", re.I | re.A)


@dataclass(frozen=True, slots=True)
class Cron:
    """The values of an expression's fields; weekdays count from Sunday, 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both_days: bool
    """A day must match day-of-month and day-of-week; else one of them suffices."""
    follows_clock: bool
    """Runs whenever the clock shows a matching time, so never for an hour that the zone skips
    and twice for one it repeats; else the times are appointments, each kept exactly once."""
    times: tuple[int, ...]
    """The matching minutes of a matching day, ascending, from 0 for midnight."""

    def matches_day(self, day: int) -> bool:
        """Whether the date `day` days after 1970-01-01 matches."""
        on = date.fromordinal(day + EPOCH_ORDINAL)
        if on.month not in self.months:
            return False
        by_date, by_weekday = on.day in self.days, (day + _EPOCH_WEEKDAY) % 7 in self.weekdays
        return by_date and by_weekday if self.both_days else by_date or by_weekday

    def matches(self, minute: int) -> bool:
        """Whether a local minute matches."""
        hour_of_day, minute_of_hour = divmod(minute % DAY, 60)
        return (
            minute_of_hour in self.minutes
            and hour_of_day in self.hours
            and self.matches_day(minute // DAY)
        )


@lru_cache(maxsize=256)
def parse(expression: str) -> Cron:
    """
    Read five fields separated by spaces, or a macro; names and macros in any case.

    Raises InvalidSchedule, naming the field and what it may hold.
    """
    if len(expression) > _MAX_LENGTH:
        raise InvalidSchedule(f"a cron expression may have at most {_MAX_LENGTH} characters")
    text = expression.strip(" ")
    if text.startswith("@"):
        text = _expand(text)
    parts = [part for part in text.split(" ") if part]
    if len(parts) != len(_FIELDS):
        raise InvalidSchedule(
            "a cron expression has five fields separated by spaces (minute, hour, day-of-month, "
            f"month, day-of-week), such as `0 3 * * 1-5`; `{expression}` has {len(parts)}"
        )
    minutes, hours, days, months, weekdays = (
        frozenset(_values(field, part)) for field, part in zip(_FIELDS, parts, strict=True)
    )
    starred = [part.startswith("*") for part in parts]
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(value % 7 for value in weekdays),
        both_days=starred[2] or starred[4],
        follows_clock=starred[0] or starred[1] or len(hours) == 24,
        times=tuple(hour * 60 + minute for hour in sorted(hours) for minute in sorted(minutes)),
    )


def _expand(macro: str) -> str:
    try:
        return MACROS[macro.lower()]
    except KeyError:
        known = ", ".join(MACROS)
        raise InvalidSchedule(f"`{macro}` is not one of {known}") from None


def _values(field: _Field, text: str) -> Iterable[int]:
    for term in text.split(","):
        yield from _term(field, term)


def _term(field: _Field, term: str) -> range:
    found = _TERM.fullmatch(term)
    if found is None:
        raise InvalidSchedule(
            f"the {field.name} cannot be `{term}`: use `*`, a value, a range such as `1-5`, "
            f"a step such as `*/2`, or a list of these; values are {field.allowed}"
        )
    low, high, step = found.groups()
    start, stop = field.first, field.last
    if low is not None:
        start = _number(field, low)
        stop = start if step is None else field.last
    if high is not None:
        stop = _number(field, high)
    elif field is _DAY_OF_WEEK and low is not None and step is not None:
        raise InvalidSchedule(
            f"the day-of-week `{term}` means different days to different crons: "
            f"say where it ends, such as `{low}-6/{step}`"
        )
    if stop < start:
        raise InvalidSchedule(
            f"the {field.name} range `{low}-{high}` goes backwards: "
            f"write `{start}-{field.last},{field.first}-{stop}`"
        )
    return range(start, stop + 1, _step(field, term, step))


def _number(field: _Field, text: str) -> int:
    if text.upper() in field.names:
        return field.first + field.names.index(text.upper())
    # A long run of digits is out of range anyway, and int() refuses or is slow on it.
    value = int(text) if text.isdigit() and len(text) <= 2 else -1
    if not field.first <= value <= field.greatest:
        raise InvalidSchedule(f"the {field.name} cannot be `{text}`: use {field.allowed}")
    return value


def _step(field: _Field, term: str, text: str | None) -> int:
    if text is None:
        return 1
    value = int(text) if len(text) <= 2 else 0
    if not 1 <= value <= field.greatest:
        raise InvalidSchedule(f"the {field.name} step in `{term}` must be 1 to {field.greatest}")
    return value
