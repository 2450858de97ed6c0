"""Short forms for instants and slots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chalicelib.domain.schedule import parse

MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slots(expression: str, zone: str, after: str, until: str) -> list[str]:
    """The slots of `parse(expression, zone)` as UTC day and time."""
    found = parse(expression, zone).slots_between(at(after), at(until))
    return [slot.strftime("%d %H:%M") for slot in found]
