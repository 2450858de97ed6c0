"""Pieces of requests to DynamoDB."""

from __future__ import annotations

from typing import Any

from pynamodb.expressions.update import Action

from chalicelib.tables.records import Record


def just_below(key: str) -> str:
    """The upper end of a range of sort keys that excludes `key` and what sorts after it."""
    return f"{key[:-1]}{chr(ord(key[-1]) - 1)}\x7f"


def actions_of(model: type[Record], changes: dict[str, Any]) -> list[Action]:
    """`{"attribute": value}` as update actions; None removes the attribute."""
    return [
        getattr(model, name).remove() if value is None else getattr(model, name).set(value)
        for name, value in changes.items()
    ]


def key_of(record: Record) -> tuple[str, str | None]:
    """Partition and sort key of a record; the tokens table has no sort key."""
    return record.pk, getattr(record, "sk", None)
