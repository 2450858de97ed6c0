"""Durations and times: from what a person types, and to what a person reads (pure)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(
    r"(?=.)(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,9})s)?", re.ASCII
)


def parse(text: str) -> timedelta:
    """`90s`, `15m`, `1h30m`, `7d`, as the API reads them; ValueError says what would be right."""
    found = _DURATION.fullmatch(text)
    if not found or not any(int(part or 0) for part in found.groups()):
        raise ValueError(f"{text!r} is no duration: write 90s, 15m, 1h30m or 7d")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def read_time(text: str) -> datetime:
    """A time as the API writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def write_time(at: datetime) -> str:
    """A time as the API reads it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def in_words(seconds: float) -> str:
    """`0.4s`, `12s`, `3m12s`, `2h5m`, `3d4h`: two units, and tenths below ten seconds."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f}s"
    whole = round(seconds)
    days, hours, minutes = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (whole % 60, "s")]
    first = next(index for index, (number, _) in enumerate(parts) if number)
    shown = [f"{number}{unit}" for number, unit in parts[first : first + 2] if number]
    return "".join(shown)


def roughly(seconds: float) -> str:
    """One unit, for ages: `12s`, `3m`, `2h`, `5d`."""
    whole = max(round(seconds), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if whole >= 2 * size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def age(text: str | None, now: datetime) -> str:
    """How long ago a time of the API's is."""
    return "" if text is None else roughly((now - read_time(text)).total_seconds())


def until(text: str | None, now: datetime) -> str:
    """How far ahead a time of the API's is."""
    if text is None:
        return ""
    seconds = (read_time(text) - now).total_seconds()
    return "now" if seconds <= 0 else f"in {in_words(max(seconds, 10))}"


def moment(text: str | None) -> str:
    """A time of the API's, to the second, for a person: UTC, and it says so."""
    return "" if text is None else f"{read_time(text):%Y-%m-%d %H:%M:%S} UTC"
