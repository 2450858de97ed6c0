"""
Schedules: which minutes are due in a time zone, and the EventBridge rules that wake for them.

Rules speak UTC and cannot say all that cron and a zone can, so they may fire at more minutes
than are due and never at fewer: `is_slot` and `due` decide. The reasons, and what happens when
clocks change, are in docs/decisions/0003-cron-semantics.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from chalicelib.domain import cron, zones
from chalicelib.domain.cron import DAY, WEEKDAYS, Cron, InvalidSchedule
from chalicelib.domain.zones import check_timezone, offset

__all__ = ["InvalidSchedule", "Schedule", "check_timezone", "parse"]

MAX_RULE_LENGTH = 256
"""Characters of a ScheduleExpression (EventBridge API reference, PutRule)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_STRIDE = 4 * DAY
"""With a day before it, less than the shortest time that a zone keeps an offset (7 days)."""
_TWO_YEARS = tuple(date(2027, 1, 1) + timedelta(day) for day in range(365 + 366))
_LONGEST_WAIT = 50 * 366 * DAY


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    A cron expression in a time zone; make it with `parse`, which checks both.

    A slot is a minute at which it is due, an aware datetime in UTC. Every method takes aware
    datetimes (TypeError for naive ones).
    """

    expression: str
    timezone: str

    def rules(self, delay: timedelta = timedelta(0)) -> tuple[str, ...]:
        """
        EventBridge `cron(...)` expressions, in UTC, whose minutes include that of every slot, or,
        with a delay in whole minutes, the minute so much after it.

        One; two where a day may match by date or by weekday, because a rule takes only either
        (EventBridge user guide, "Cron expressions reference"). An account has few rules, and a
        wake-up for nothing costs next to nothing: so one wide rule, not several exact ones.
        """
        spec = cron.parse(self.expression)
        in_utc = _in_utc(spec, zones.clock(self.timezone), delay // _MINUTE)
        minutes, hours = _text(in_utc.minutes, range(60)), _text(in_utc.hours, range(24))
        rules = []
        for days in _day_fields(spec, in_utc.shifts):
            rule = f"cron({minutes} {hours} {days} *)"
            # With every minute, and the other fields at their longest, it is 178 characters.
            rules.append(rule if len(rule) <= MAX_RULE_LENGTH else f"cron(* {hours} {days} *)")
        return tuple(rules)

    def is_slot(self, instant: datetime) -> bool:
        """Whether it is due at `instant`, to the minute: a time with seconds is no slot."""
        minute, rest = divmod(instant - _EPOCH, _MINUTE)
        return not rest and self._due_at(minute)

    def slots_between(
        self, after: datetime, until: datetime, limit: int | None = None
    ) -> Iterator[datetime]:
        """The slots of after < slot <= until, ascending; the first `limit` of them if given."""
        return map(_instant, islice(self._slots(_floor(after) + 1, _floor(until) + 1), limit))

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        """The first `count` slots after `after`, fewer if the next 50 years hold no more."""
        start = _floor(after) + 1
        return list(map(_instant, islice(self._slots(start, start + _LONGEST_WAIT), count)))

    def next_slot(self, after: datetime) -> datetime:
        """The first slot after `after`. Raises InvalidSchedule if there is none for 50 years."""
        for slot in self.upcoming(after, 1):
            return slot
        raise InvalidSchedule(
            f"`{self.expression}` never fires: no date in {self.timezone} has such a "
            "day-of-month, month, day-of-week and time together"
        )

    def due(self, from_: datetime, until: datetime, newest: int) -> tuple[list[datetime], int]:
        """
        The `newest` latest slots of from_ <= slot <= until, ascending, and how many are older.

        The older ones are counted, not made: a year of `* * * * *` takes milliseconds.
        """
        blocks = list(self._blocks(-((_EPOCH - from_) // _MINUTE), _floor(until) + 1))
        latest_first = (
            origin + minute for origin, minutes in reversed(blocks) for minute in reversed(minutes)
        )
        kept = [_instant(minute) for minute in islice(latest_first, newest)]
        return kept[::-1], sum(len(minutes) for _, minutes in blocks) - len(kept)

    def _due_at(self, minute: int) -> bool:
        """Whether a UTC minute is a slot: the one place that says what clock changes mean."""
        spec, zone = cron.parse(self.expression), ZoneInfo(self.timezone)
        local, is_repeat = zones.shown(zone, minute)
        if spec.follows_clock:
            return spec.matches(local)
        if spec.matches(local) and not is_repeat:
            return True
        after_last, _ = zones.shown(zone, minute - 1)
        return any(spec.matches(skipped) for skipped in range(after_last + 1, local))

    def _slots(self, start: int, stop: int) -> Iterator[int]:
        return (origin + m for origin, minutes in self._blocks(start, stop) for m in minutes)

    def _blocks(self, start: int, stop: int) -> Iterator[tuple[int, Sequence[int]]]:
        """The slots of start <= slot < stop, ascending: origins, and the minutes after each."""
        spec, zone = cron.parse(self.expression), ZoneInfo(self.timezone)
        for begin in range(start, stop, _STRIDE):
            yield from self._stride(spec, zone, begin, min(begin + _STRIDE, stop))

    def _stride(
        self, spec: Cron, zone: ZoneInfo, start: int, stop: int
    ) -> Iterator[tuple[int, Sequence[int]]]:
        """
        The blocks of at most `_STRIDE` minutes.

        1. No matching date is near: none.
        2. The offset is the same all the time, and for a day before (so nothing is a repeat):
           the slots are the local times, moved by it.
        3. Else those of each half; where clocks change, each minute is asked for.
        """
        if not any(map(spec.matches_day, range(start // DAY - 2, stop // DAY + 2))):
            return
        ahead = offset(zone, stop - 1)
        if ahead == offset(zone, start - DAY):
            first, last = start + ahead, stop - 1 + ahead
            for day in range(first // DAY, last // DAY + 1):
                if spec.matches_day(day):
                    low = bisect_left(spec.times, first - day * DAY)
                    high = bisect_left(spec.times, last + 1 - day * DAY)
                    yield day * DAY - ahead, spec.times[low:high]
        elif stop - start <= 60:
            yield 0, [minute for minute in range(start, stop) if self._due_at(minute)]
        else:
            middle = (start + stop) // 2
            yield from self._stride(spec, zone, start, middle)
            yield from self._stride(spec, zone, middle, stop)


@lru_cache(maxsize=256)
def parse(expression: str, timezone: str = "UTC") -> Schedule:
    """
    A checked schedule; its expression is kept as written, macros too, without superfluous spaces.

    Raises InvalidSchedule for an expression or a zone that is not valid, and for an expression that
    never fires, such as `0 0 30 2 *`. Use it for what a caller sends; what is stored was checked
    before.
    """
    check_timezone(timezone)
    cron.parse(expression)
    _check_common(expression)
    schedule = Schedule(" ".join(expression.split()), timezone)
    schedule.next_slot(datetime(zones.HORIZON.start, 1, 1, tzinfo=UTC))
    return schedule


def _check_common(expression: str) -> None:
    """
    Let croniter check the expression too. Our grammar is stricter, and what croniter cannot read
    would be a dialect of Jobyard's own, not the standard cron that the API promises.
    """
    from croniter import croniter  # at first use: only a new schedule needs it, and it is slow

    if not croniter.is_valid(expression):
        raise InvalidSchedule("is not standard cron: five fields, or a macro such as @daily")


def _floor(instant: datetime) -> int:
    return (instant - _EPOCH) // _MINUTE


def _instant(minute: int) -> datetime:
    return _EPOCH + minute * _MINUTE


class _InUtc(NamedTuple):
    minutes: set[int]
    hours: set[int]
    shifts: set[int]
    """By how many days UTC's date differs from the local one."""


def _in_utc(spec: Cron, clock: zones.Clock, later: int) -> _InUtc:
    """When rules must fire: at the times under every offset, and right after gaps that skip one;
    all of it `later` by so many minutes."""
    minutes: set[int] = set()
    hours: set[int] = set()
    shifts: set[int] = set()
    for ahead in clock.offsets:
        moved = [divmod(minute - ahead + later, 60) for minute in spec.minutes]
        minutes.update(minute for _, minute in moved)
        carried = {carry for carry, _ in moved}
        days_and_hours = [divmod(hour + carry, 24) for hour in spec.hours for carry in carried]
        hours.update(hour for _, hour in days_and_hours)
        shifts.update(shift for shift, _ in days_and_hours)
    for skip in () if spec.follows_clock else clock.skips:
        day, minute = divmod(skip.minute + later, DAY)
        missed = {local // DAY for local in skip.missing if spec.matches(local)}
        if missed:
            hours.add(minute // 60)
            minutes.add(minute % 60)
            shifts.update(day - local_day for local_day in missed)
    return _InUtc(minutes, hours, shifts)


def _day_fields(spec: Cron, shifts: Collection[int]) -> Iterator[str]:
    """The day-of-month, month and day-of-week of each rule, for days that move by `shifts`."""
    days, weekdays = len(spec.days) / 31, len(spec.weekdays) / 7
    if spec.both_days:
        # A rule cannot ask for both: it takes the rarer one, and `is_slot` asks for the other.
        if weekdays < days:
            yield _by_weekday(spec.weekdays, spec.months, shifts)
        else:
            yield from _by_date(spec.days, spec.months, shifts)
    elif days == 1 or weekdays == 1:
        yield from _by_date(range(1, 32), spec.months, shifts)
    else:
        yield from _by_date(spec.days, spec.months, shifts)
        yield _by_weekday(spec.weekdays, spec.months, shifts)


def _by_date(
    days: Collection[int], months: Collection[int], shifts: Collection[int]
) -> Iterator[str]:
    moved = {
        on + timedelta(shift)
        for on in _TWO_YEARS
        if on.month in months and on.day in days
        for shift in shifts
    }
    if moved:  # else only weekdays match: 30 February or a Monday
        on = _text({each.day for each in moved}, range(1, 32))
        yield f"{on} {_text({each.month for each in moved}, range(1, 13))} ?"


def _by_weekday(weekdays: Collection[int], months: Collection[int], shifts: Collection[int]) -> str:
    # The first or last day of a month may move into the one beside it.
    moved_months = {(month - 1 + shift) % 12 + 1 for month in months for shift in {0, *shifts}}
    moved = sorted({(weekday + shift) % 7 for weekday in weekdays for shift in shifts})
    # By name: EventBridge counts from Sunday, 1, and documents no step.
    on = "*" if len(moved) == 7 else ",".join(WEEKDAYS[weekday] for weekday in moved)
    return f"? {_text(moved_months, range(1, 13))} {on}"


def _text(values: Collection[int], every: range) -> str:
    """A field of a rule, in the forms that AWS documents: `*`, one range, or a list of values."""
    if len(values) == len(every):
        return "*"
    low, high = min(values), max(values)
    if high - low + 1 == len(values) > 2:
        return f"{low}-{high}"
    return ",".join(str(value) for value in sorted(values))
