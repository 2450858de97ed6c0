"""Cron in a time zone: what is accepted, what is due, and which rules wake for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain import zones
from chalicelib.domain.schedule import InvalidSchedule, Schedule, check_timezone, parse

MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slots(expression: str, zone: str, after: str, until: str) -> list[str]:
    """The slots of `parse(expression, zone)` as UTC day and time."""
    found = parse(expression, zone).slots_between(at(after), at(until))
    return [slot.strftime("%d %H:%M") for slot in found]


@pytest.mark.parametrize(
    ("expression", "same_as"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@Daily", "0 0 * * *"),
        ("0 0 * JAN,feb Mon-fri", "0 0 * 1,2 1-5"),
        ("  05  03 * *   7 ", "5 3 * * 0"),
        ("0 0 * * 7-7", "0 0 * * 0"),
        ("0 0 * * 5-7", "0 0 * * 5,6,0"),
        ("9-9/2 0 * * *", "9 0 * * *"),
        ("10/20 0 * * *", "10,30,50 0 * * *"),
        ("0 0 * * */7", "0 0 * * 0"),
        ("0 0 1-31 * 1", "0 0 * * *"),
        ("0 0 1 * 0-6", "0 0 * * *"),
    ],
)
def test_two_ways_to_write_a_schedule_have_the_same_slots(expression: str, same_as: str) -> None:
    """Macros, names, Sunday as 7, steps and spaces say what their plain form says."""
    window = at("2026-11-23"), at("2028-01-02")
    for zone in ("UTC", "America/New_York"):
        written, plain = parse(expression, zone), parse(same_as, zone)
        assert list(written.slots_between(*window)) == list(plain.slots_between(*window))
        assert written.rules() == plain.rules()


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "five fields"),
        ("* * * *", "has 4"),
        ("0 0 1 1 * 2026", "has 6"),
        ("*\t* * * *", "five fields"),
        ("* * * *\n*", "five fields"),
        ("*\u00a0* * * * *", "the minute cannot be"),
        ("60 * * * *", "the minute cannot be `60`: use 0 to 59"),
        ("* 24 * * *", "the hour cannot be `24`: use 0 to 23"),
        ("* * 0 * *", "the day-of-month cannot be `0`: use 1 to 31"),
        ("* * 32 * *", "the day-of-month cannot be `32`: use 1 to 31"),
        ("* * * 13 *", "the month cannot be `13`: use 1 to 12 (or JAN to DEC)"),
        ("* * * 0 *", "the month cannot be `0`"),
        ("* * * * 8", "the day-of-week cannot be `8`: use 0 to 7 (or SUN to SAT)"),
        ("* * * MON *", "the month cannot be `MON`"),
        ("jan * * * *", "the minute cannot be `jan`"),
        ("*/61 * * * *", "the minute step in `*/61` must be 1 to 59"),
        ("*/0 * * * *", "the minute step in `*/0` must be 1 to 59"),
        ("* */24 * * *", "the hour step in `*/24` must be 1 to 23"),
        ("* 22-2 * * *", "the hour range `22-2` goes backwards: write `22-23,0-2`"),
        ("* * * * fri-sun", "the day-of-week range `fri-sun` goes backwards: write `5-6,0-0`"),
        ("* * * * 1/2", "the day-of-week `1/2` means different days to different crons"),
        ("* * L * *", "the day-of-month cannot be `L`"),
        ("* * 15W * *", "the day-of-month cannot be `15W`"),
        ("* * ? * 1", "the day-of-month cannot be `?`"),
        ("* * * * 1#2", "the day-of-week cannot be `1#2`"),
        ("R * * * *", "the minute cannot be `R`"),
        ("*-5 * * * *", "the minute cannot be `*-5`"),
        ("1,,2 * * * *", "the minute cannot be ``"),
        ("-1 * * * *", "the minute cannot be `-1`"),
        ("1- * * * *", "the minute cannot be `1-`"),
        ("1/2/3 * * * *", "the minute cannot be `1/2/3`"),
        ("٣ * * * *", "the minute cannot be `٣`"),
        ("9" * 200 + " * * * *", "the minute cannot be"),
        ("0," * 200 + "0 * * * *", "at most 256 characters"),
        ("@reboot", "`@reboot` is not one of @hourly, @daily"),
        ("cron(0 0 * * ? *)", "has 6"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 30,31 2 */2", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
    ],
)
def test_an_invalid_expression_is_refused_with_what_to_do(expression: str, says: str) -> None:
    """The refusal names the field and what it may hold."""
    with pytest.raises(InvalidSchedule) as refusal:
        parse(expression)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 29 2 */7", "2032-02-29T00:00"),
        ("0 0 30 2 1", "2027-02-01T00:00"),
        ("0 0 31 * *", "2026-12-31T00:00"),
    ],
)
def test_a_rare_schedule_is_not_one_that_never_fires(expression: str, first: str) -> None:
    """29 February counts, however rare, and 30 February or a Monday is the Mondays."""
    assert parse(expression).next_slot(at("2026-11-23")) == at(first)


def test_a_schedule_that_only_clock_changes_prevent_never_fires_there() -> None:
    """A 31 March that is a Sunday has no two o'clock in Berlin, and a `*` follows the clock."""
    assert parse("* 2 31 3 */7", "UTC")
    assert parse("30 2 31 3 */7", "Europe/Berlin")
    with pytest.raises(InvalidSchedule, match="never fires"):
        parse("* 2 31 3 */7", "Europe/Berlin")


def test_the_expression_is_kept_as_it_was_written() -> None:
    """A client reads back what it sent, so that comparing finds no change."""
    assert parse("@daily").expression == "@daily"
    assert parse("0 3 * * Mon-Fri", "Europe/Berlin") == Schedule("0 3 * * Mon-Fri", "Europe/Berlin")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Berlin",
        "europe/berlin",
        "UTC+2",
        "+02:00",
        "localtime",
        "posix/UTC",
        "../etc/passwd",
        "/usr/share/zoneinfo/UTC",
        "Europe",
        "zone.tab",
        "Europe/Berlin\0",
        "x" * 5000,
    ],
)
def test_a_name_that_is_not_iana_s_is_no_zone(name: str) -> None:
    """Only the database's own names, whatever files the machine has."""
    with pytest.raises(InvalidSchedule, match="not the name of an IANA time zone") as refusal:
        check_timezone(name)
    assert len(str(refusal.value)) < 300
    with pytest.raises(InvalidSchedule):
        parse("0 0 * * *", name)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Etc/GMT+12", "Asia/Calcutta", "EST"])
def test_an_iana_name_is_a_zone(name: str) -> None:
    """Old names and links are the database's too."""
    check_timezone(name)


def test_every_second_weekday_is_not_every_day() -> None:
    """`0 0 * * */2` is Sunday, Tuesday, Thursday and Saturday; Copilot makes it every day."""
    schedule = parse("0 0 * * */2")
    assert schedule.rules() == ("cron(0 0 ? * SUN,TUE,THU,SAT *)",)
    week = slots("0 0 * * */2", "UTC", "2026-11-21T12:00", "2026-11-28T12:00")
    assert week == ["22 00:00", "24 00:00", "26 00:00", "28 00:00"]


def test_every_second_date_is_not_lost_beside_a_weekday() -> None:
    """`0 0 */2 * 1` is the Mondays on odd dates, since a field begins with `*`; Copilot makes it
    every Monday."""
    november = slots("0 0 */2 * 1", "UTC", "2026-11-01", "2026-11-30T23:59")
    assert november == ["09 00:00", "23 00:00"]
    # EventBridge cannot say both; the rule takes the rarer, and the even Mondays are no slots.
    assert parse("0 0 */2 * 1").rules() == ("cron(0 0 ? * MON *)",)
    assert not parse("0 0 */2 * 1").is_slot(at("2026-11-16"))


def test_a_date_or_a_weekday_needs_two_rules() -> None:
    """Where neither field begins with `*`, either suffices."""
    assert parse("0 0 13 * 5").rules() == ("cron(0 0 13 * ? *)", "cron(0 0 ? * FRI *)")
    november = slots("0 0 13,17 * 5", "UTC", "2026-11-10", "2026-11-21")
    assert november == ["13 00:00", "17 00:00", "20 00:00"]


@pytest.mark.parametrize(
    ("expression", "zone", "rules"),
    [
        ("* * * * *", "UTC", ["* * * * ? *"]),
        ("* * * * *", "Asia/Kolkata", ["* * * * ? *"]),
        ("0 3 * * 1-5", "UTC", ["0 3 ? * MON,TUE,WED,THU,FRI *"]),
        ("0 3 * * 1-5", "Europe/Berlin", ["0 1,2 ? * MON,TUE,WED,THU,FRI *"]),
        ("0 0 * * 1", "Europe/Berlin", ["0 22,23 ? * SUN *"]),
        ("0 20 * * 6", "America/New_York", ["0 0,1 ? * SUN *"]),
        ("30 5 * * 1", "Asia/Kolkata", ["0 0 ? * MON *"]),
        ("0 0 1 * *", "Asia/Kolkata", ["30 18 28-31 * ? *"]),
        ("0 0 1 3 *", "Asia/Kolkata", ["30 18 28,29 2 ? *"]),
        ("0 0 1 1 *", "Asia/Kolkata", ["30 18 31 12 ? *"]),
        ("0 20 31 12 *", "America/New_York", ["0 0,1 1 1 ? *"]),
        ("0 12 * 6 *", "Australia/Lord_Howe", ["0,30 1 1-30 6 ? *"]),
        # skipped on one Sunday a year, and then due at 01:00 UTC
        ("30 2 * * *", "Europe/Berlin", ["0,30 0,1 * * ? *"]),
        # never skipped: the clocks change on Sundays
        ("30 2 * * 1-5", "Europe/Berlin", ["30 0,1 ? * MON,TUE,WED,THU,FRI *"]),
        ("30 23 * * *", "America/Scoresbysund", ["0,30 0,1 * * ? *"]),
        ("0 0 1-31 * 1", "UTC", ["0 0 * * ? *"]),
        ("0 0 30 2 1", "UTC", ["0 0 ? 2 MON *"]),
    ],
)
def test_a_rule_is_as_narrow_as_utc_and_eventbridge_let_it_be(
    expression: str, zone: str, rules: list[str]
) -> None:
    """Hours and days of every offset that the zone uses, and no others."""
    assert parse(expression, zone).rules() == tuple(f"cron({rule})" for rule in rules)


def test_a_rule_that_would_be_too_long_fires_every_minute_of_its_hours() -> None:
    """EventBridge takes 256 characters; minutes are what there are many of."""
    minutes = "1-5,7-11,13-17,19-23,25-29,31-35,37-41,43-47,49-53,55-59"
    hours = "0-1,3-4,6-7,9-10,12-13,15-16,18-19,21-22"
    schedule = parse(
        f"{minutes} {hours} 1-2,4-5,7-8,10-11,13-14,16-17,19-20,22-23,25-26,28-29 */2 *"
    )
    assert schedule.rules() == (
        "cron(* 0,1,3,4,6,7,9,10,12,13,15,16,18,19,21,22"
        " 1,2,4,5,7,8,10,11,13,14,16,17,19,20,22,23,25,26,28,29 1,3,5,7,9,11 ? *)",
    )
    assert not schedule.is_slot(at("2026-11-23T00:06"))


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
    """However "every hour" is written, an hour passes from slot to slot."""
    begin = at(day)
    hourly = parse(f"30 {hours} * * *", "Europe/Berlin")
    found = list(hourly.slots_between(begin, begin + timedelta(hours=6)))
    assert found == [begin + timedelta(hours=hour, minutes=30) for hour in range(6)]


def test_a_wildcard_follows_the_clock_as_debian_s_does() -> None:
    """A `*` in minute or hour: what is skipped has no slot, what is repeated has both."""
    spring = ("Europe/Berlin", "2026-03-28T23:59", "2026-03-29T04:00")
    autumn = ("Europe/Berlin", "2026-10-24T23:59", "2026-10-25T04:00")
    assert slots("*/30 2 * * *", *spring) == []
    assert slots("*/30 2 * * *", *autumn) == ["25 00:00", "25 00:30", "25 01:00", "25 01:30"]
    assert slots("0 */2 * * *", *spring) == ["29 02:00", "29 04:00"]
    assert slots("0 */2 * * *", *autumn) == ["25 00:00", "25 01:00", "25 03:00"]


def test_a_change_of_half_an_hour_is_half_an_hour() -> None:
    """Lord Howe goes from 02:00 to 02:30 on 4 October 2026, at 15:30 UTC of the 3rd, and from
    02:00 back to 01:30 on 5 April, at 15:00 UTC of the 4th."""
    spring = ("Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T17:00")
    autumn = ("Australia/Lord_Howe", "2026-04-04T12:00", "2026-04-04T17:00")
    assert slots("15,45 2 * * *", *spring) == ["03 15:30", "03 15:45"]
    assert slots("15,45 1 * * *", *autumn) == ["04 14:15", "04 14:45"]
    assert slots("*/15 2 * * *", *spring) == ["03 15:30", "03 15:45"]
    assert len(slots("*/10 * * * *", *autumn)) == len(slots("*/10 * * * *", *spring)) == 30


def test_a_slot_is_a_whole_minute() -> None:
    """Seconds are not rounded: whoever has a fire's time floors it first."""
    daily = parse("30 2 * * *")
    assert daily.is_slot(at("2026-11-23T02:30"))
    assert not daily.is_slot(at("2026-11-23T02:30:01"))
    assert not daily.is_slot(at("2026-11-23T02:31"))


def test_an_instant_without_a_zone_is_refused() -> None:
    """A naive datetime would be somebody's local time."""
    naive = datetime(2026, 11, 23)
    daily = parse("0 0 * * *")
    for ask in (daily.is_slot, daily.next_slot):
        with pytest.raises(TypeError):
            ask(naive)


def test_an_instant_may_be_given_in_any_zone() -> None:
    """What counts is the instant; answers are UTC."""
    daily = parse("0 3 * * *", "Europe/Berlin")
    local = datetime.fromisoformat("2026-11-23T03:00+01:00")
    assert daily.is_slot(local)
    assert daily.next_slot(local) == at("2026-11-24T02:00")
    assert daily.next_slot(local).tzinfo is UTC


def test_slots_between_leaves_out_its_start_and_includes_its_end() -> None:
    """So the slots of two windows that meet are those of both together, none twice."""
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
    """Asked at a slot, it is the one after; a second before it, it is that one."""
    daily = parse("0 3 * * *")
    assert daily.next_slot(at("2026-11-23T03:00")) == at("2026-11-24T03:00")
    assert daily.next_slot(at("2026-11-23T02:59:59")) == at("2026-11-23T03:00")


def test_a_year_of_every_minute_is_counted_and_only_the_newest_made() -> None:
    """After a long outage the newest are wanted, and the number of the others."""
    each = parse("* * * * *", "Europe/Berlin")
    start, end = at("2026-01-01"), at("2027-01-01")
    newest, older = each.due(start, end, 101)
    assert newest == [end - n * MINUTE for n in range(100, -1, -1)]
    assert older == 365 * 24 * 60 + 1 - 101


def test_due_includes_both_its_ends() -> None:
    """The cursor is the first slot that is still due."""
    daily = parse("0 3 * * *")
    first, last = at("2026-11-20T03:00"), at("2026-11-23T03:00")
    assert daily.due(first, last, 9) == ([first + timedelta(n) for n in range(4)], 0)
    assert daily.due(first, last, 1) == ([last], 3)
    assert daily.due(first + timedelta(seconds=1), last, 9)[0][0] == first + timedelta(1)
    assert daily.due(last + MINUTE, last + 2 * MINUTE, 9) == ([], 0)


@pytest.mark.parametrize("zone", ["Africa/Cairo", "Asia/Gaza", "Antarctica/Troll"])
def test_the_clock_of_a_zone_knows_every_offset_and_every_skip(zone: str) -> None:
    """Rules are wide enough because nothing that a zone does in 20 years is missed."""
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
