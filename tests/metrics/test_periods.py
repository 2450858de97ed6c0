"""Which period and which window a request for metrics is answered with."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from chalicelib.usecases.metrics import MAX_POINTS, span_of
from tests.metrics.metric_world import DAY, HOUR, MINUTE, NOON, World, points


@pytest.mark.parametrize(
    ("age", "length", "period", "grain"),
    [
        (HOUR, HOUR, 60, 60),
        (6 * HOUR, 6 * HOUR, 60, 60),
        (6 * HOUR + MINUTE, 6 * HOUR + MINUTE, 300, 60),
        (14 * DAY, HOUR, 60, 60),
        (16 * DAY, HOUR, 300, 300),
        (4 * DAY, 4 * DAY, 300, 60),
        (6 * DAY, 6 * DAY, 900, 60),
        (16 * DAY, 16 * DAY, 3_600, 300),
        (64 * DAY, HOUR, 3_600, 3_600),
        (400 * DAY, 400 * DAY, 86_400, 3_600),
        (4_000 * DAY, 4_000 * DAY, 86_400, 3_600),
    ],
)
def test_the_period_follows_the_window(
    age: timedelta, length: timedelta, period: int, grain: int
) -> None:
    """
    The period is 60 s up to 6 h, then longer, and never finer than what CloudWatch still keeps.
    """
    span = span_of(NOON - age, NOON - age + length, NOON)
    assert (span.period, span.grain) == (period, grain)


@given(
    age=st.timedeltas(timedelta(0), 5_000 * DAY),
    length=st.timedeltas(timedelta(milliseconds=1), 5_000 * DAY),
)
@hypothesis_settings(max_examples=300, derandomize=True, deadline=None, database=None)
def test_no_window_exceeds_1440_points_or_the_retention_of_its_period(
    age: timedelta, length: timedelta
) -> None:
    start, end = NOON - age, NOON - age + length
    span = span_of(start, end, NOON)
    seconds = timedelta(seconds=1)
    if span.start < span.end:
        assert math.ceil((span.end - span.start) / (span.period * seconds)) <= MAX_POINTS
        assert span.start.timestamp() % span.period == 0
        assert span.end.timestamp() % 60 == 0
        kept_from = NOON - timedelta(days=455)
        assert kept_from <= span.start
        assert span.start <= max(start, kept_from + DAY) < span.start + span.period * seconds
        assert span.period % span.grain == 0
        finest = {60: 15, 300: 63, 3_600: 455}[span.grain]
        assert NOON - span.start <= finest * DAY
        assert (span.end - span.start) / (span.grain * seconds) <= 50_000  # of 100,800


@pytest.mark.parametrize(
    "query",
    [
        {"start": NOON + HOUR, "end": NOON + 2 * HOUR},
        {"start": NOON - 900 * DAY, "end": NOON - 800 * DAY},
    ],
)
def test_a_window_older_than_the_retention_is_empty(world: World, query: dict[str, Any]) -> None:
    """A window in the future, or older than what CloudWatch keeps, costs no call."""
    result = world.job(**query)
    assert result.is_complete and points(result, "cpu_usage") == []
    assert world.calls == {}
