"""Cron expressions: which are accepted, and which rules EventBridge gets for them."""

from __future__ import annotations

import pytest

from chalicelib.domain.schedule import InvalidSchedule, Schedule, check_timezone, parse
from tests.slots import at, slots


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
    """Macros, names, Sunday as 7, steps and spaces mean the same as their plain form."""
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
    """The error names the field and what it may contain."""
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
    """29 February may be rare, and "30 February or a Monday" fires on Mondays."""
    assert parse(expression).next_slot(at("2026-11-23")) == at(first)


def test_a_schedule_that_only_clock_changes_prevent_never_fires_there() -> None:
    """A 31 March that is a Sunday has no 02:00 in Berlin, and a `*` follows the clock there."""
    assert parse("* 2 31 3 */7", "UTC")
    assert parse("30 2 31 3 */7", "Europe/Berlin")
    with pytest.raises(InvalidSchedule, match="never fires"):
        parse("* 2 31 3 */7", "Europe/Berlin")


def test_the_expression_is_kept_as_it_was_written() -> None:
    """A client reads what it sent, so that a comparison finds no change."""
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
def test_a_name_outside_the_iana_list_is_refused_as_a_zone(name: str) -> None:
    """Only the database's own names are accepted, whatever files the machine has."""
    with pytest.raises(InvalidSchedule, match="not the name of an IANA time zone") as refusal:
        check_timezone(name)
    assert len(str(refusal.value)) < 300
    with pytest.raises(InvalidSchedule):
        parse("0 0 * * *", name)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Etc/GMT+12", "Asia/Calcutta", "EST"])
def test_an_iana_name_is_accepted_as_a_zone(name: str) -> None:
    """The database has old names and links too."""
    check_timezone(name)


def test_every_second_weekday_is_not_every_day() -> None:
    """`0 0 * * */2` is Sunday, Tuesday, Thursday and Saturday; Copilot fires every day."""
    schedule = parse("0 0 * * */2")
    assert schedule.rules() == ("cron(0 0 ? * SUN,TUE,THU,SAT *)",)
    week = slots("0 0 * * */2", "UTC", "2026-11-21T12:00", "2026-11-28T12:00")
    assert week == ["22 00:00", "24 00:00", "26 00:00", "28 00:00"]


def test_a_step_of_dates_beside_a_weekday_restricts_both() -> None:
    """
    `0 0 */2 * 1` fires on Mondays with an odd date, since a field begins with `*`; Copilot fires
    every Monday.
    """
    november = slots("0 0 */2 * 1", "UTC", "2026-11-01", "2026-11-30T23:59")
    assert november == ["09 00:00", "23 00:00"]
    # EventBridge cannot have both conditions. The rule has the rarer one, and even Mondays are no
    # slots.
    assert parse("0 0 */2 * 1").rules() == ("cron(0 0 ? * MON *)",)
    assert not parse("0 0 */2 * 1").is_slot(at("2026-11-16"))


def test_a_date_or_a_weekday_needs_two_rules() -> None:
    """If neither field begins with `*`, one match is enough."""
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
        # skipped on one Sunday a year, when it fires at 01:00 UTC
        ("30 2 * * *", "Europe/Berlin", ["0,30 0,1 * * ? *"]),
        # never skipped, because the clocks change on Sundays
        ("30 2 * * 1-5", "Europe/Berlin", ["30 0,1 ? * MON,TUE,WED,THU,FRI *"]),
        ("30 23 * * *", "America/Scoresbysund", ["0,30 0,1 * * ? *"]),
        ("0 0 1-31 * 1", "UTC", ["0 0 * * ? *"]),
        ("0 0 30 2 1", "UTC", ["0 0 ? 2 MON *"]),
    ],
)
def test_a_rule_is_as_narrow_as_utc_and_eventbridge_let_it_be(
    expression: str, zone: str, rules: list[str]
) -> None:
    """The rule has the hours and days of every offset of the zone, and no others."""
    assert parse(expression, zone).rules() == tuple(f"cron({rule})" for rule in rules)


def test_a_rule_that_would_be_too_long_fires_every_minute_of_its_hours() -> None:
    """EventBridge allows 256 characters, and the minutes take most of them."""
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
