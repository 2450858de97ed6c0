"""Which slots a schedule has: across clock changes, between two instants, and which are due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain import zones
from chalicelib.domain.schedule import parse
from tests.slots import MINUTE, at, slots


def test_a_skipped_time_fires_once_right_after_the_gap() -> None:
    """Berlin goes from 02:00 to 03:00 on 29 March 2026, at 01:00 UTC."""
    window = ("Europe/Berlin", "2026-03-28T12:00", "2026-03-29T12:00")
    for skipped in ("0 2 * * *", "30 2 * * *", "59 2 * * *"):
        assert slots(skipped, *window) == ["29 01:00"]
    assert slots("0,15,30,45 2 * * *", *window) == ["29 01:00"]
    assert slots("0 2,3 * * *", *window) == ["29 01:00"]
    assert slots("59 1 * * *", *window) == ["29 00:59"]


def test_a_time_skipped_before_midnight_fires_at_midnight() -> None:
    """Scoresbysund goes from Saturday 23:00 to Sunday 00:00: Saturday's slot is due on Sunday."""
    window = ("America/Scoresbysund", "2026-03-28T12:00", "2026-03-29T12:00")
    assert slots("30 23 * * 6", *window) == ["29 01:00"]
    assert slots("30 23 28 3 *", *window) == ["29 01:00"]
    assert parse("30 23 * * 6", "America/Scoresbysund").is_slot(at("2026-03-29T01:00"))


def test_a_repeated_time_has_one_slot_the_first() -> None:
    """Berlin goes from 03:00 back to 02:00 on 25 October 2026, at 01:00 UTC."""
    window = ("Europe/Berlin", "2026-10-24T12:00", "2026-10-25T12:00")
    assert slots("30 2 * * *", *window) == ["25 00:30"]
    assert slots("0 2,3 * * *", *window) == ["25 00:00", "25 02:00"]


@pytest.mark.parametrize("hours", ["*", "*/1", "0-23"])
@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_an_hourly_schedule_neither_loses_nor_doubles_an_hour(hours: str, day: str) -> None:
    """However "every hour" is written, each slot comes an hour after the one before."""
    begin = at(day)
    hourly = parse(f"30 {hours} * * *", "Europe/Berlin")
    found = list(hourly.slots_between(begin, begin + timedelta(hours=6)))
    assert found == [begin + timedelta(hours=hour, minutes=30) for hour in range(6)]


def test_a_wildcard_follows_the_clock_as_debian_s_does() -> None:
    """With a `*` in minute or hour, a skipped time has no slot and a repeated time has two."""
    spring = ("Europe/Berlin", "2026-03-28T23:59", "2026-03-29T04:00")
    autumn = ("Europe/Berlin", "2026-10-24T23:59", "2026-10-25T04:00")
    assert slots("*/30 2 * * *", *spring) == []
    assert slots("*/30 2 * * *", *autumn) == ["25 00:00", "25 00:30", "25 01:00", "25 01:30"]
    assert slots("0 */2 * * *", *spring) == ["29 02:00", "29 04:00"]
    assert slots("0 */2 * * *", *autumn) == ["25 00:00", "25 01:00", "25 03:00"]


def test_a_clock_change_of_half_an_hour_moves_slots_by_half_an_hour() -> None:
    """Lord Howe goes from 02:00 to 02:30 on 4 October 2026, at 15:30 UTC of the 3rd, and from
    02:00 back to 01:30 on 5 April, at 15:00 UTC of the 4th."""
    spring = ("Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T17:00")
    autumn = ("Australia/Lord_Howe", "2026-04-04T12:00", "2026-04-04T17:00")
    assert slots("15,45 2 * * *", *spring) == ["03 15:30", "03 15:45"]
    assert slots("15,45 1 * * *", *autumn) == ["04 14:15", "04 14:45"]
    assert slots("*/15 2 * * *", *spring) == ["03 15:30", "03 15:45"]
    assert len(slots("*/10 * * * *", *autumn)) == len(slots("*/10 * * * *", *spring)) == 30


def test_a_slot_is_a_whole_minute() -> None:
    """Seconds are not rounded: the caller rounds the time of a fire down first."""
    daily = parse("30 2 * * *")
    assert daily.is_slot(at("2026-11-23T02:30"))
    assert not daily.is_slot(at("2026-11-23T02:30:01"))
    assert not daily.is_slot(at("2026-11-23T02:31"))


def test_an_instant_without_a_zone_is_refused() -> None:
    """A naive datetime would be in an unknown local time."""
    naive = datetime(2026, 11, 23)
    daily = parse("0 0 * * *")
    for ask in (daily.is_slot, daily.next_slot):
        with pytest.raises(TypeError):
            ask(naive)


def test_an_instant_may_be_given_in_any_zone() -> None:
    """Only the instant counts, and the answers are in UTC."""
    daily = parse("0 3 * * *", "Europe/Berlin")
    local = datetime.fromisoformat("2026-11-23T03:00+01:00")
    assert daily.is_slot(local)
    assert daily.next_slot(local) == at("2026-11-24T02:00")
    assert daily.next_slot(local).tzinfo is UTC


def test_slots_between_leaves_out_its_start_and_includes_its_end() -> None:
    """The slots of two adjacent windows are thus those of both together, without repetition."""
    noon, later = at("2026-11-23T12:00"), at("2026-11-23T12:03")
    each = parse("* * * * *")
    assert list(each.slots_between(noon, later)) == [noon + n * MINUTE for n in (1, 2, 3)]
    assert list(each.slots_between(noon, later, limit=2)) == [noon + MINUTE, noon + 2 * MINUTE]
    half = timedelta(seconds=30)
    assert list(each.slots_between(noon - half, later - half)) == [
        noon + n * MINUTE for n in (0, 1, 2)
    ]
    assert not list(each.slots_between(later, noon))


def test_the_next_slot_is_strictly_after() -> None:
    """At a slot the next one is the following slot; a second earlier it is that slot itself."""
    daily = parse("0 3 * * *")
    assert daily.next_slot(at("2026-11-23T03:00")) == at("2026-11-24T03:00")
    assert daily.next_slot(at("2026-11-23T02:59:59")) == at("2026-11-23T03:00")


def test_of_a_year_of_due_minutes_only_the_newest_slots_are_built() -> None:
    """After a long outage the scheduler needs the newest slots and the number of the others."""
    each = parse("* * * * *", "Europe/Berlin")
    start, end = at("2026-01-01"), at("2027-01-01")
    newest, older = each.due(start, end, 101)
    assert newest == [end - n * MINUTE for n in range(100, -1, -1)]
    assert older == 365 * 24 * 60 + 1 - 101


def test_due_includes_both_its_ends() -> None:
    """The job's cursor is the first slot that is still due."""
    daily = parse("0 3 * * *")
    first, last = at("2026-11-20T03:00"), at("2026-11-23T03:00")
    assert daily.due(first, last, 9) == ([first + timedelta(n) for n in range(4)], 0)
    assert daily.due(first, last, 1) == ([last], 3)
    assert daily.due(first + timedelta(seconds=1), last, 9)[0][0] == first + timedelta(1)
    assert daily.due(last + MINUTE, last + 2 * MINUTE, 9) == ([], 0)


@pytest.mark.parametrize("zone", ["Africa/Cairo", "Asia/Gaza", "Antarctica/Troll"])
def test_the_clock_of_a_zone_knows_every_offset_and_every_skip(zone: str) -> None:
    """The rules are wide enough, because the table has every offset and skip of 20 years."""
    known, local = zones.clock(zone), ZoneInfo(zone)
    begin = (date(2030, 1, 1) - date(1970, 1, 1)).days * 24 * 60
    skips = {skip.minute: skip.missing for skip in known.skips}
    found = 0
    before = zones.offset(local, begin - 30)
    for minute in range(begin, begin + 20 * 365 * 24 * 60, 30):
        after = zones.offset(local, minute)
        assert after in known.offsets
        if after > before:
            found += 1
            assert skips[minute] == range(minute + before, minute + after)
        before = after
    assert found >= 20
