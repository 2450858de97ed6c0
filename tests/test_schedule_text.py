"""The description of a schedule in words says exactly when it fires."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain import cron
from chalicelib.domain.cron import Cron, InvalidSchedule
from chalicelib.domain.schedule_text import in_words

WORDS = {
    "* * * * *": "Every minute",
    "*/5 * * * *": "Every 5 minutes",
    "3-59/5 * * * *": "Every 5 minutes from minute 3 of every hour",
    "10/20 * * * *": "Every 20 minutes from minute 10 of every hour",
    # the distance at the end of an hour is not 7 minutes
    "*/7 * * * *": "At minutes 0 to 56 in steps of 7 of every hour",
    "0 * * * *": "Every hour",
    "@hourly": "Every hour",
    "0 0-23 * * *": "Every hour",
    "17 * * * *": "At minute 17 of every hour",
    "* 3 * * *": "Every minute from 03:00 to 03:59",
    "* 3,5 * * *": "Every minute of hours 3 and 5",
    "0 */2 * * *": "Every 2 hours from 00:00 to 22:00",
    "30 8-18 * * 1-5": "Every hour from 08:30 to 18:30, Monday to Friday",
    "0,30 8-18 * * mon-fri": "Every 30 minutes from 08:00 to 18:30, Monday to Friday",
    "5,25,45 1,2,7 * * *": "At minutes 5, 25 and 45 of hours 1, 2 and 7 every day",
    "0 3 * * *": "At 03:00 every day",
    "@daily": "At 00:00 every day",
    "@WEEKLY": "At 00:00 on Sunday",
    "0 3 * * 1-5": "At 03:00, Monday to Friday",
    "0 3 * * MON,WED": "At 03:00 on Monday and Wednesday",
    "0 0 * * 5-7": "At 00:00, Friday to Sunday",
    "0 0 * * 7-7": "At 00:00 on Sunday",
    "0 0 * * 0-7": "At 00:00 every day",
    "0 6,18 1,15 * *": "At 06:00 and 18:00 on the 1st and 15th of every month",
    "9-9/2 3 22,23,31 * *": "At 03:09 on the 22nd, 23rd and 31st of every month",
    "0 0 1 1 *": "At 00:00 on the 1st of January",
    "0 0 29 2 *": "At 00:00 on the 29th of February",
    "0 0 * 6-8 1-5": "At 00:00, Monday to Friday in June to August",
    "0 0 * 2 *": "At 00:00 every day in February",
    # one of the two day fields is enough
    "0 0 13 * 5": "At 00:00 on the 13th of every month, and also on Friday",
    "0 0 1-7 5 1-5": "At 00:00 on the 1st to 7th of May, and also Monday to Friday in May",
    "0 0 1-31 * 5": "At 00:00 every day",
    # both day fields must match, because one of them begins with *
    "0 0 */2 * 1": "At 00:00 on every 2nd day from the 1st to the 31st of every month, "
    "if that is a Monday",
    "0 0 1,2 * */3": "At 00:00 on the 1st and 2nd of every month, "
    "if that is a Wednesday, Saturday or Sunday",
    "0 0 *,5 * 1": "At 00:00 on Monday",
}


@pytest.mark.parametrize("expression", WORDS)
def test_schedules_are_described_in_words(expression: str) -> None:
    """The words are those that a person would use."""
    assert in_words(expression) == WORDS[expression]


def test_an_invalid_schedule_has_no_description() -> None:
    """The error is the same that a job with this schedule would get."""
    with pytest.raises(InvalidSchedule, match="the hour cannot be `25`"):
        in_words("0 25 * * *")


# The other direction: a parser of the words, which shares no code with what wrote them.

MONTHS = "January February March April May June July August September October November December"
DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday"
MONTH = {name: number for number, name in enumerate(MONTHS.split(), 1)}
DAY = {name: number for number, name in enumerate(DAYS.split())}
CLOCK = re.compile(r"\d\d:\d\d")


def number(word: str) -> int:
    named = {**MONTH, **DAY}
    return named[word] if word in named else int(re.sub(r"(?:st|nd|rd|th)$", "", word))


def row(text: str, around: int | None = None) -> set[int]:
    """The numbers in `1 to 5, 7 and 9`; with `around`, a range may pass the end of the week."""
    found: set[int] = set()
    if steps := re.fullmatch(r"(\d+) to (\d+) in steps of (\d+)", text):
        return set(range(int(steps[1]), int(steps[2]) + 1, int(steps[3])))
    for part in re.split(r", | and | or ", text):
        first, _, last = part.partition(" to ")
        low = number(first)
        high = number(last) if last else low
        if around is not None and high < low:
            high += around
        found |= {value % around if around else value for value in range(low, high + 1)}
    return found


def minutes_of(text: str) -> set[int]:
    """The minutes of a day that the first part of the description names."""
    if step := re.fullmatch(
        r"Every (?:(\d+) )?(minute|hour)s?(?: from (\d\d):(\d\d) to (\d\d):(\d\d))?", text
    ):
        size = int(step[1] or 1) * (60 if step[2] == "hour" else 1)
        first, last = 0, 24 * 60 - 1
        if step[3]:
            first = int(step[3]) * 60 + int(step[4])
            last = int(step[5]) * 60 + int(step[6])
        return set(range(first, last + 1, size))
    if found := re.fullmatch(r"Every (\d+) minutes from minute (\d+) of every hour", text):
        return set(range(int(found[2]), 24 * 60, int(found[1])))
    if found := re.fullmatch(
        r"(?:At minutes? (.+?)|Every minute) of (?:every hour|hours? (.+))", text
    ):
        hours = row(found[2]) if found[2] else set(range(24))
        minutes = row(found[1]) if found[1] else set(range(60))
        return {hour * 60 + minute for hour in hours for minute in minutes}
    assert text.startswith("At "), text
    times = CLOCK.findall(text)
    assert times, text
    return {int(time[:2]) * 60 + int(time[3:]) for time in times}


SENTENCE = re.compile(
    r"(?P<times>.+?)"
    r"(?:(?P<daily> every day)"
    r"| on (?:the (?P<dates>[\d][^A-Z]*?)|every (?P<step>\d+)\w\w day from the (?P<from>\d+)\w\w"
    r" to the (?P<to>\d+)\w\w) of (?P<of>every month|[A-Z].*?)"
    r"(?:, if that is a (?P<if>.+)|, and also (?:on )?(?P<also>.+?)(?: in (?P<also_in>.+))?)?"
    r"|(?: on|,) (?P<weekdays>[A-Z].*?))?"
    r"(?: in (?P<months>[A-Z].*))?"
)


def read(text: str) -> Cron:
    """The schedule that the words describe, as the fields of a cron expression."""
    found = SENTENCE.fullmatch(text)
    assert found, text
    part = found.groupdict()
    months = part["months"] or (None if part["of"] in (None, "every month") else part["of"])
    days, weekdays = set(range(1, 32)), set(range(7))
    both = True
    if part["step"]:
        days = set(range(int(part["from"]), int(part["to"]) + 1, int(part["step"])))
    elif part["dates"]:
        days = row(part["dates"])
    if part["weekdays"] or part["if"]:
        weekdays = row(part["weekdays"] or part["if"], around=7)
    elif part["also"]:
        assert part["also_in"] == months, text
        weekdays, both = row(part["also"], around=7), False
    times = minutes_of(part["times"])
    return Cron(
        minutes=frozenset(time % 60 for time in times),
        hours=frozenset(time // 60 for time in times),
        days=frozenset(days),
        months=frozenset(row(months) if months else range(1, 13)),
        weekdays=frozenset(weekdays),
        both_days=both,
        follows_clock=False,
        times=tuple(sorted(times)),
    )


YEARS = range(20_000, 20_000 + 1_461)
"""Days since 1970: four years, so that each date falls on several weekdays."""


def field(low: int, high: int, most_step: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    span = st.tuples(value, value).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, most_step)
    stepped = st.tuples(st.one_of(span, st.just("*")), step).map(lambda p: f"{p[0]}/{p[1]}")
    listed = st.lists(st.one_of(value.map(str), span), min_size=1, max_size=4).map(",".join)
    return st.one_of(st.just("*"), value.map(str), span, stepped, listed)


EXPRESSIONS = st.tuples(
    field(0, 59, 59), field(0, 23, 23), field(1, 31, 31), field(1, 12, 12), field(0, 7, 7)
).map(" ".join)


@settings(max_examples=600, deadline=None)
@given(EXPRESSIONS)
def test_schedules_with_the_same_description_have_the_same_slots(expression: str) -> None:
    """The words, parsed again, match the same minutes of the same days."""
    written, understood = cron.parse(expression), read(in_words(expression))
    assert understood.times == written.times, in_words(expression)
    assert [day for day in YEARS if understood.matches_day(day)] == [
        day for day in YEARS if written.matches_day(day)
    ], in_words(expression)
