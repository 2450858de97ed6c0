"""Query parameters: times and durations in the notations that people and tools use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import BadRequest
from chalicelib.http import queries
from chalicelib.http.queries import LogsQuery, MetricsQuery

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("6h", timedelta(hours=6)),
        ("1h30m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("3650d", timedelta(days=3650)),
    ],
)
def test_durations_are_read_in_every_unit(text: str, expected: timedelta) -> None:
    """A duration has days, hours, minutes and seconds, each at most once and in this order."""
    assert queries.parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "1", "h", "1w", "30m1h", "1h1h", "-1h", "1.5h", "1 h", "1H"])
def test_text_that_is_not_a_duration_is_refused(text: str) -> None:
    """The parser returns None instead of raising, because the text may still be a time."""
    assert queries.parse_duration(text) is None


@pytest.mark.parametrize("text", ["0s", "0d0h", "3651d", "999999d", "999999999s"])
def test_durations_of_zero_or_beyond_the_limit_are_refused(text: str) -> None:
    """Such a duration cannot be the length of a window."""
    with pytest.raises(ValueError, match="at most 3650d"):
        queries.parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T12:00:00Z",
        "2026-11-23t12:00:00z",
        "2026-11-23T12:00:00.000Z",
        "2026-11-23T12:00:00.000000000Z",
        "2026-11-23T13:00:00+01:00",
        "2026-11-23T07:00:00-05:00",
        "1795435200",
        "1795435200000",
        "1795435200000000000",
    ],
)
def test_every_notation_of_one_time_gives_the_same_time(text: str) -> None:
    """A time is RFC 3339 with any offset, or an epoch whose number of digits gives its unit."""
    assert queries.parse_time(text) == NOW
    assert queries.parse_time(text).tzinfo == UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-23",
        "2026-11-23T12:00:00",
        "2026-11-23 12:00:00Z",
        "2026-11-23T13:00:00 01:00",
        "2026-13-23T12:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T12:00:60Z",
        "2026-11-23T12:00:00+24:00",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "-1",
        "1.5",
        "179543520000000",
        "1795435200000000",
        "99999999999999999999",
        "٣٤",
        "²",
    ],
)
def test_text_that_is_not_a_time_is_refused(text: str) -> None:
    """Microseconds are refused too: a number of 15 to 17 digits has no clear unit."""
    with pytest.raises(ValueError, match="must"):
        queries.parse_time(text)


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_every_time_that_isoformat_writes_is_read(naive: datetime, zone: timezone) -> None:
    """This holds for every offset, with and without a fraction of a second."""
    at = naive.replace(tzinfo=zone)
    assert queries.parse_time(at.isoformat()) == at


@given(st.text())
def test_any_text_is_read_as_a_time_or_a_duration_or_refused(text: str) -> None:
    """No text raises another exception."""
    for read in (queries.parse_duration, queries.parse_time):
        try:
            found = read(text)
        except ValueError:
            continue
        assert found is None or isinstance(found, (timedelta, datetime))


def test_a_window_is_the_default_unless_the_caller_says() -> None:
    """A duration counts back from the window's end; a time is the window's beginning."""
    assert LogsQuery().window.between(NOW, DAY) == (NOW - DAY, NOW)
    assert LogsQuery().window.between(NOW, NOW - 2 * DAY) == (NOW - 2 * DAY, NOW)
    past = LogsQuery.model_validate({"end": "2026-11-01T00:00:00Z"})
    assert past.window.between(NOW, DAY) == (
        datetime(2026, 10, 31, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
    )


def test_a_window_does_not_begin_before_cloudwatch_existed() -> None:
    """A window of 24 hours that ends at 01:00 on 1 January 1970 begins at 00:00 that day."""
    early = LogsQuery.model_validate({"end": "3600"})
    assert early.window.between(NOW, DAY) == (
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 1, 1, tzinfo=UTC),
    )


def test_since_is_a_duration_back_from_now_or_a_time() -> None:
    """A duration counts back from now, whatever `end` is."""
    query = MetricsQuery.model_validate({"since": "6h", "end": "2026-11-23T11:00:00Z"})
    assert query.window.between(NOW, DAY) == (NOW - timedelta(hours=6), NOW - timedelta(hours=1))
    query = MetricsQuery.model_validate({"since": "2026-11-23T00:00:00Z"})
    assert query.window.between(NOW, DAY) == (NOW - timedelta(hours=12), NOW)


@pytest.mark.parametrize(
    "given",
    [
        {"start": "2026-11-23T12:00:00Z"},
        {"start": "2026-11-24T00:00:00Z"},
        {"start": "2026-11-22T00:00:00Z", "end": "2026-11-22T00:00:00Z"},
        {"since": "2027-01-01T00:00:00Z"},
        {"since": "1h", "end": "2026-11-23T10:00:00Z"},
        {"end": "0"},
    ],
)
def test_an_empty_window_is_refused_with_both_its_ends(given: dict[str, str]) -> None:
    """The message shows the caller how both ends were read."""
    with pytest.raises(BadRequest, match="must be before end"):
        LogsQuery.model_validate(given).window.between(NOW, DAY)
