"""A page of a list: as many records as were asked for, as one answer carries, as time allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from chalicelib.clock import Clock

T = TypeVar("T")

SPARE_SECONDS = 5.0
"""Of the caller's time, left for what follows the reading of a page."""


class Page(NamedTuple, Generic[T]):
    """Records, and the id of the last one where the list goes on behind it."""

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
