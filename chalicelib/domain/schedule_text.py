"""
A schedule in words: `0 3 * * 1-5` is "At 03:00, Monday to Friday".

The words are made from what `cron.parse` read, not from the expression, so they cannot say
something else than what fires. Why no library does it: docs/decisions/0034-schedules-in-words.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

from chalicelib.domain import cron
from chalicelib.domain.cron import Cron

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
_MOST_TIMES = 6
"""So many times of a day are listed one by one; more are described by hours and minutes."""
_SHORT_LIST = 4
"""A row of so many values at equal distances is described by its distance."""


@lru_cache(maxsize=1024)
def in_words(expression: str) -> str:
    """What a checked expression means, without its zone; InvalidSchedule if it is not valid."""
    spec = cron.parse(expression)
    times, days = _times(spec), _days(spec)
    if not days and times.startswith("At ") and len(spec.hours) < 24:
        days = " every day"
    return times + days


def _times(spec: Cron) -> str:
    """When on a matching day."""
    minutes, hours = sorted(spec.minutes), sorted(spec.hours)
    if len(hours) < 24 and len(spec.times) <= _MOST_TIMES:
        return f"At {_listed([_clock(time) for time in spec.times])}"
    if len(minutes) == 1:
        return _hourly(minutes[0], hours)
    step = _step(minutes)
    is_even = step is not None and 60 % step == 0 and len(minutes) == 60 // step
    if is_even and hours[-1] - hours[0] == len(hours) - 1:
        every = "Every minute" if step == 1 else f"Every {step} minutes"
        if len(hours) == 24:
            return every if minutes[0] == 0 else f"{every} from minute {minutes[0]} of every hour"
        return f"{every} from {_clock(spec.times[0])} to {_clock(spec.times[-1])}"
    of_hours = "every hour"
    if len(hours) < 24:
        of_hours = f"hour{'s' * (len(hours) > 1)} {_numbers(hours)}"
    if len(minutes) == 60:
        return f"Every minute of {of_hours}"
    return f"At minutes {_numbers(minutes)} of {of_hours}"


def _hourly(minute: int, hours: list[int]) -> str:
    """One minute of more than a few hours."""
    if len(hours) == 24:
        return "Every hour" if minute == 0 else f"At minute {minute} of every hour"
    step = _step(hours)
    if step is None:
        return f"At {_listed([_clock(hour * 60 + minute) for hour in hours])}"
    every = "Every hour" if step == 1 else f"Every {step} hours"
    return f"{every} from {_clock(hours[0] * 60 + minute)} to {_clock(hours[-1] * 60 + minute)}"


def _days(spec: Cron) -> str:
    """On which days, to be added to the times; nothing if on every one."""
    any_date, any_weekday = len(spec.days) == 31, len(spec.weekdays) == 7
    if not spec.both_days and (any_date or any_weekday):
        any_date = any_weekday = True  # either suffices, and one of them always holds
    months = "" if len(spec.months) == 12 else _row(sorted(spec.months), _month)
    within = f" in {months}" if months else ""
    if any_date and any_weekday:
        return f" every day{within}" if within else ""
    on_dates = f" on {_dates(sorted(spec.days))} of {months or 'every month'}"
    if any_weekday:
        return on_dates
    weekdays = sorted((day - 1) % 7 for day in spec.weekdays)
    if not any_date and spec.both_days:
        return f"{on_dates}, if that is a {_row(weekdays, _weekday, 'or')}"
    is_range = len(weekdays) > 2 and _step(weekdays) == 1
    on_weekdays = f"{'' if is_range else 'on '}{_row(weekdays, _weekday)}{within}"
    if any_date:
        return f"{',' if is_range else ''} {on_weekdays}"
    return f"{on_dates}, and also {on_weekdays}"


def _dates(days: list[int]) -> str:
    step = _step(days)
    if step is not None and step > 1 and len(days) > _SHORT_LIST:
        first, last = _ordinal(days[0]), _ordinal(days[-1])
        return f"every {_ordinal(step)} day from the {first} to the {last}"
    return f"the {_row(days, _ordinal)}"


def _numbers(values: list[int]) -> str:
    step = _step(values)
    if step is not None and step > 1 and len(values) > _SHORT_LIST:
        return f"{values[0]} to {values[-1]} in steps of {step}"
    return _row(values, str)


def _row(values: Sequence[int], name: Callable[[int], str], word: str = "and") -> str:
    """Ascending values, three and more in a row as a range."""
    parts: list[str] = []
    start = 0
    for end in range(1, len(values) + 1):
        if end == len(values) or values[end] != values[end - 1] + 1:
            run = [name(value) for value in values[start:end]]
            parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else run
            start = end
    return _listed(parts, word)


def _step(values: Sequence[int]) -> int | None:
    """The distance of values at equal distances; None where they are not, or there is one."""
    steps = {later - earlier for earlier, later in pairwise(values)}
    return steps.pop() if len(steps) == 1 else None


def _listed(parts: Sequence[str], word: str = "and") -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _weekday(day: int) -> str:
    return _DAYS[day]


def _month(month: int) -> str:
    return _MONTHS[month - 1]


def _ordinal(day: int) -> str:
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"
