"""A page of a list, limited by the number asked for, by the answer's size and by time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from chalicelib.clock import Clock

T = TypeVar("T")

SPARE_SECONDS = 5.0
"""Seconds of the caller's deadline that are left for what follows the reading of a page."""


class Page(NamedTuple, Generic[T]):
    """Records, and the id of the last one if the list goes on after it."""

    records: list[T]
    last: str | None


Fits = Callable[[T], bool]
"""Whether a record still fits in the answer; asked once of each record, in their order."""


def take(
    records: Iterable[T], limit: int | None, fits: Fits[T], clock: Clock
) -> tuple[list[T], bool]:
    """The first records of one page, at least one, and whether there are more."""
    taken: list[T] = []
    for record in records:
        if limit is not None and len(taken) == limit:
            return taken, True
        if (not fits(record) and taken) or (taken and clock.remaining() < SPARE_SECONDS):
            return taken, True
        taken.append(record)
    return taken, False
