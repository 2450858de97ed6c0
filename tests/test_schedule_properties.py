"""
Compares thousands of random expressions with three independent libraries.

- `croniter` says which slots there are where no clock changes (with Vixie's reading of a day
  field that begins with `*`, which is ours too).
- `cronsim` says which slots there are around a clock change; it follows Debian's cron.
- `aws_croniter` says when EventBridge fires the compiled rules.

Where a library is known to be wrong, a comment says how, and a plain model of Debian's cron, minute
by minute, replaces it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from aws_croniter.aws_croniter import AwsCroniter
from croniter import croniter
from cronsim import CronSim, CronSimError
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from chalicelib.domain.schedule import InvalidSchedule, Schedule, parse

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
CHANGING = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
ODD = (
    "Africa/Casablanca",  # the offset changes with Ramadan
    "America/Havana",  # skips midnight
    "America/Scoresbysund",  # skips the hour before midnight
    "America/St_Johns",  # its changes are not on a full UTC hour
    "Antarctica/Troll",  # changes by two hours
    "Asia/Gaza",  # changes with Ramadan in some years
)
MINUTE = timedelta(minutes=1)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@st.composite
def terms(draw: st.DrawFn, low: int, high: int, names: tuple[str, ...] = ()) -> str:
    def written(value: int) -> str:
        named = names and value - low < len(names) and draw(st.booleans())
        return names[value - low] if named else str(value)

    first = draw(st.integers(low, high))
    kind = draw(st.sampled_from(["value", "value", "value", "range", "stepped", "every"]))
    if kind == "every":
        return f"*/{draw(st.integers(1, min(high, 15)))}"
    # cronsim reads 9-9/2 as 9-59/2, croniter 7-7 as every day: tests/test_schedule.py has those.
    if kind == "value" or first == high:
        return written(first)
    last = draw(st.integers(first + 1, high))
    if kind == "range":
        return f"{written(first)}-{written(last)}"
    return f"{first}-{last}/{draw(st.integers(1, min(high, 9)))}"


def fields(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    lists = st.lists(terms(low, high, names), min_size=1, max_size=3).map(",".join)
    return st.just("*") | lists


NIGHT = st.sampled_from(["0", "1", "2", "3", "0-2", "1-3", "1,2", "*/2", "22-23", "23", "0-23"])
EXPRESSIONS = st.tuples(
    st.sampled_from(["0", "30", "59", "0,30", "*/15"]) | fields(0, 59),
    fields(0, 23) | NIGHT,
    st.just("*") | fields(1, 31),
    st.just("*") | fields(1, 12, MONTHS),
    st.just("*") | fields(0, 7, WEEKDAYS),
).map(" ".join)
INSTANTS = st.integers(0, 10 * 366 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + minutes * MINUTE
)


@cache
def changes(zone: str) -> list[datetime]:
    """The first minutes of each new offset from 2026 to 2035."""

    def offset(instant: datetime) -> timedelta | None:
        return instant.astimezone(ZoneInfo(zone)).utcoffset()

    days = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days) for days in range(3652)]
    return [
        next(minute for n in range(1441) if offset(minute := day + n * MINUTE) != offset(day))
        for day, following in pairwise(days)
        if offset(day) != offset(following)
    ]


def is_steady(zone: str, start: datetime, end: datetime) -> bool:
    return not any(start - timedelta(days=1) < each <= end for each in changes(zone))


def every_hour(expression: str) -> bool:
    return len(CronSim(expression, datetime(2026, 1, 1)).hours) == 24


def is_wildcard(expression: str) -> bool:
    minute, hour, *_ = expression.split()
    return minute.startswith("*") or hour.startswith("*") or every_hour(expression)


def cronsim_is_right(expression: str, zone: str) -> bool:
    """
    cronsim steps by real hours: after Lord Howe's half hour it begins a wildcard's hours at half
    past, and where midnight is skipped it returns the midnight that does not exist.
    """
    return not is_wildcard(expression) or zone in ("Europe/Berlin", "America/New_York")


def croniter_is_right(expression: str) -> bool:
    """
    croniter reads 0-7 beside 1,*/2 as `*`, though neither begins with `*`, and then needs both.
    """
    written, read = expression.split(), croniter.expand(expression)[0]
    return all(written[day].startswith("*") or read[day] != ["*"] for day in (2, 4))


def by_croniter(expression: str, zone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    following = croniter(expression, after.astimezone(ZoneInfo(zone)), implement_cron_bug=True)
    slots = (following.get_next(datetime).astimezone(UTC) for _ in iter(int, 1))
    return takewhile(lambda slot: slot <= until, slots)


def by_cronsim(expression: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    if every_hour(expression):
        # Debian decides by how the field is written; here 0-23 follows the clock too, as * does.
        parts = expression.split()
        expression = " ".join([parts[0], "*", *parts[2:]])
    slots = CronSim(expression, after.astimezone(ZoneInfo(zone)))
    return list(takewhile(lambda slot: slot <= until, (each.astimezone(UTC) for each in slots)))


def by_debian(expression: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """The runs of a daemon that reads the clock every minute, as cron(8) describes it."""
    wildcard = is_wildcard(expression)
    start = after - timedelta(hours=3)  # longer than any repeated time
    clock = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    end = until.astimezone(ZoneInfo(zone)).replace(tzinfo=None) + timedelta(hours=3)
    matching = set(takewhile(lambda time: time <= end, CronSim(expression, clock - MINUTE)))
    latest, ran = clock - MINUTE, []
    for now in (start + n * MINUTE for n in range(int((until - start) / MINUTE) + 1)):
        shown = now.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if wildcard:
            runs = shown in matching
        else:  # once for all minutes that passed since the clock last showed a new one
            passed = (latest + n * MINUTE for n in range(1, int((shown - latest) / MINUTE) + 1))
            runs = any(time in matching for time in passed)
        latest = max(latest, shown)
        if runs and now > after:
            ran.append(now)
    return ran


def fires(rules: tuple[str, ...], after: datetime, until: datetime) -> set[datetime]:
    """The times when EventBridge fires any of the rules."""
    found: set[datetime] = set()
    for rule in rules:
        assert rule.startswith("cron(") and rule.endswith(")") and len(rule) <= 256
        found.update(AwsCroniter(rule[5:-1]).get_all_schedule_bw_dates(after + MINUTE, until))
    return found


def parsed(expression: str, zone: str) -> Schedule:
    try:
        return parse(expression, zone)
    except InvalidSchedule:
        with pytest.raises(CronSimError):  # cronsim also refuses an expression that never fires
            CronSim(expression, datetime(2026, 1, 1))
        reject()


@settings(max_examples=2000, deadline=None, derandomize=True)
@given(EXPRESSIONS, st.sampled_from(ZONES), INSTANTS)
@example("0 0 * * */2", "Europe/Berlin", datetime(2026, 11, 23, tzinfo=UTC))
@example("0 0 */2 * 1", "Europe/Berlin", datetime(2026, 11, 23, tzinfo=UTC))
@example("0 0 29 2 *", "Asia/Kolkata", datetime(2026, 11, 23, tzinfo=UTC))
def test_the_rules_filtered_by_is_slot_fire_exactly_at_the_slots_of_cron(
    expression: str, zone: str, instant: datetime
) -> None:
    """The fires that `is_slot` accepts are exactly the slots of croniter or cronsim."""
    schedule = parsed(expression, zone)
    first = schedule.next_slot(instant)
    if cronsim_is_right(expression, zone):
        assert by_cronsim(expression, zone, instant, first) == [first]
    # A window of at most 12 slots that begins shortly before a slot.
    after = first - timedelta(minutes=100)
    slots = list(schedule.slots_between(after, after + timedelta(days=40), limit=12))
    until = slots[-1] if len(slots) == 12 else after + timedelta(days=40)
    if not is_steady(zone, after, until):
        if not cronsim_is_right(expression, zone):
            return  # the next test has these cases
        expected = by_cronsim(expression, zone, after, until)
    elif croniter_is_right(expression):
        expected = list(by_croniter(expression, zone, after, until))
    else:
        expected = by_cronsim(expression, zone, after, until)
    assert slots == expected
    assert sorted(filter(schedule.is_slot, fires(schedule.rules(), after, until))) == expected


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(EXPRESSIONS, st.sampled_from(CHANGING + ODD), st.integers(0, 19), st.integers(-90, 90))
def test_around_a_clock_change_the_slots_are_those_of_debian_s_cron(
    expression: str, zone: str, which: int, shift: int
) -> None:
    """
    A skipped time fires once after the gap, a repeated one once, and hourly slots follow time.
    """
    schedule = parsed(expression, zone)
    change = changes(zone)[which % len(changes(zone))]
    busy = len(expression.split()[0]) > 3 or "*" in expression.split()[0]
    width = timedelta(hours=3 if busy else 4)
    after, until = change - width + shift * MINUTE, change + width
    slots = list(schedule.slots_between(after, until))
    assert slots == by_debian(expression, zone, after, until)
    assert slots == sorted(filter(schedule.is_slot, fires(schedule.rules(), after, until)))
    if cronsim_is_right(expression, zone):
        assert slots == by_cronsim(expression, zone, after, until)


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(
    EXPRESSIONS,
    st.sampled_from([*ZONES, *ODD]),
    st.one_of(INSTANTS, st.integers(0, 19)),
    st.integers(0, 60),
)
@example("30 23 28 2 *", "UTC", datetime(2027, 2, 28, tzinfo=UTC), 60)
@example("0,59 23 * * 5", "UTC", datetime(2026, 11, 23, tzinfo=UTC), 1)
@example("30 2 * * 0", "Europe/Berlin", 0, 45)
def test_rules_with_a_delay_fire_so_much_after_each_slot(
    expression: str, zone: str, around: datetime | int, minutes: int
) -> None:
    """Those of the fires that come so much after a slot are exactly one for each slot."""
    schedule = parsed(expression, zone)
    if isinstance(around, int):  # a change of the zone's clocks, if it has any
        near = changes(zone) or [datetime(2026, 1, 1, tzinfo=UTC)]
        after = near[around % len(near)] - 200 * MINUTE
    else:
        after = schedule.next_slot(around) - 100 * MINUTE
    until, delay = after + timedelta(hours=9), minutes * MINUTE
    found = fires(schedule.rules(delay), after, until)
    expected = [slot + delay for slot in schedule.slots_between(after - delay, until - delay)]
    assert sorted(fire for fire in found if schedule.is_slot(fire - delay)) == expected


@settings(max_examples=300, deadline=None, derandomize=True)
@given(EXPRESSIONS, st.sampled_from(ZONES), INSTANTS, st.integers(0, 3000), st.integers(0, 30))
def test_due_is_the_newest_slots_and_a_count_of_the_rest(
    expression: str, zone: str, start: datetime, minutes: int, newest: int
) -> None:
    """`due` includes both ends, and counts the slots that it leaves out."""
    schedule = parsed(expression, zone)
    end = start + minutes * MINUTE
    every = list(schedule.slots_between(start - MINUTE, end))
    kept, older = schedule.due(start, end, newest)
    assert kept == (every[-newest:] if newest else [])
    assert older == len(every) - len(kept)
    assert every[:1] == [s for s in [schedule.next_slot(start - MINUTE)] if s <= end]


@pytest.mark.parametrize("zone", CHANGING + ODD)
def test_slots_between_and_is_slot_agree_around_clock_changes(zone: str) -> None:
    """`slots_between` goes day by day and `is_slot` checks one minute; both must agree."""
    for change in changes(zone):
        for expression in ("*/7 * * * *", "*/15 0-3,22,23 * * *", "5,35 0-3,22,23 * * *"):
            schedule = parse(expression, zone)
            minutes = [change + n * MINUTE for n in range(-1600, 1600)]
            walked = list(schedule.slots_between(minutes[0] - MINUTE, minutes[-1]))
            assert walked == list(filter(schedule.is_slot, minutes))
