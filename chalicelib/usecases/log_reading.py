"""
Reading the lines of several sources that follow one another, as a run's attempts do.

A *place* is a source and a position in it; it is what a cursor holds. Reading ends when the limit
is reached, or earlier when the answer's size or time is used up. Then the result says so, and the
place to go on from is exact as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from chalicelib.clock import Clock
from chalicelib.cloud.logs import Event
from chalicelib.domain.errors import Unavailable
from chalicelib.usecases.log_sources import Page, Position, Source

MAX_PAGES = 50
SECONDS = 13.0
"""No call begins later, and the longest takes 5.5 s more (cloud.aws): an answer within 20 s."""
SLACK = 1.0
"""No further page is read with fewer seconds left than this."""


class Room(Protocol):
    """What one answer can carry."""

    @property
    def capacity(self) -> int: ...

    def size(self, message: str) -> int: ...

    def cut(self, message: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Place:
    """A position in one of several sources; None: that source's end to read from."""

    attempt: int
    task: str
    at: Position | None


FIRST = Place(0, "", None)
"""The head of the first source, whichever that will be."""


@dataclass(slots=True)
class Found:
    """What reading gave, oldest line first."""

    events: list[Event] = field(default_factory=list)
    older: Place | None = None
    """Where what comes before is read; None: nothing does."""
    newer: Place = FIRST
    """Where what comes after is read."""
    is_complete: bool = False
    """All there is now in the direction of reading was read."""
    is_partial: bool = False
    """Reading ended early: its time or its room was used up."""


class Reader:
    """Reads lines into one answer, within SECONDS."""

    def __init__(self, room: Room, clock: Clock) -> None:
        self._room = room
        self._clock = clock

    def read_back(self, sources: Sequence[Source], place: Place | None, limit: int) -> Found:
        """
        The newest `limit` lines before `place`, or of all the sources, which come oldest first.

        Unavailable if CloudWatch does not give a single page.
        """
        with self._clock.deadline(SECONDS):
            return _read_back(sources, place, _Answer(limit, self._room, self._clock))

    def read_on(self, sources: Sequence[Source], place: Place, limit: int) -> Found:
        """
        The oldest `limit` lines behind `place`.

        Unavailable if CloudWatch does not give a single page.
        """
        with self._clock.deadline(SECONDS):
            return _read_on(sources, place, _Answer(limit, self._room, self._clock))


def _read_back(sources: Sequence[Source], place: Place | None, answer: _Answer) -> Found:
    found = Found()
    newer: Place | None = None
    index, at = (len(sources) - 1, None) if place is None else _find_last(sources, place)
    while index >= 0:
        source = sources[index]
        page = answer.take(source.older, at, newest_first=True)
        if page is None:
            found.older = _place(source, at)
            break
        found.events[:0] = page.events
        newer = newer or (_place(source, page.after) if page.after else None)
        at = page.resume
        if at is not None:
            found.older = _place(source, page.before or at)
        else:
            index -= 1
            found.older = _place(sources[index], None) if index >= 0 else None
        if answer.is_over:
            break
    found.newer = newer or FIRST
    found.is_complete = found.older is None
    found.is_partial = answer.is_cut_short and not found.is_complete
    return found


def _read_on(sources: Sequence[Source], place: Place, answer: _Answer) -> Found:
    found = Found(newer=place)
    index, at = _find_first(sources, place)
    began = index
    while index < len(sources):
        source = sources[index]
        page = answer.take(source.newer, at, newest_first=False)
        if page is None:
            break
        found.events += page.events
        if page.events and found.older is None:
            found.older = _place(source, page.before)
        if page.after is not None:
            found.newer = _place(source, page.after)
        at = page.resume
        if at is None:
            index += 1
        elif page.after is None and source.keeps_place:
            found.newer = _place(source, at)
        if answer.is_over:
            break
    if found.older is None and sources:
        found.older = _place(sources[-1], None)
    found.is_complete = index == len(sources)
    found.is_partial = answer.is_cut_short and not found.is_complete
    if found.is_partial and found.newer == place and index > began and at is None:
        # else a run with more tasks without a line than one answer reads would not be got past
        found.newer = _place(sources[index], None)
    return found


def _place(source: Source, at: Position | None) -> Place:
    return Place(source.attempt, source.task, at)


def _find_first(sources: Sequence[Source], place: Place) -> tuple[int, Position | None]:
    """Where to read on; if the place's task is gone, replaced before it ran, the source after
    it."""
    for index, source in enumerate(sources):
        if _is_at(source, place):
            return index, place.at
    followers = (i for i, source in enumerate(sources) if source.attempt >= place.attempt)
    return next(followers, len(sources)), None


def _find_last(sources: Sequence[Source], place: Place) -> tuple[int, Position | None]:
    for index, source in enumerate(sources):
        if _is_at(source, place):
            return index, place.at
    earlier = [i for i, source in enumerate(sources) if source.attempt <= place.attempt]
    return max(earlier, default=-1), None


def _is_at(source: Source, place: Place) -> bool:
    return (source.attempt, source.task) == (place.attempt, place.task)


class _Answer:
    """How much still fits in the answer that is being gathered, and whether its time is up."""

    def __init__(self, limit: int, room: Room, clock: Clock) -> None:
        self._lines = limit
        self._room = room
        self._clock = clock
        self._left = room.capacity
        self._pages = 0
        self.is_cut_short = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be read: the limit is reached, or the answer is cut short."""
        if self._lines > 0 and (self._pages >= MAX_PAGES or self._clock.remaining() < SLACK):
            self.is_cut_short = True
        return self._lines <= 0 or self.is_cut_short

    def take(
        self,
        read: Callable[[Position | None, int], Page],
        at: Position | None,
        *,
        newest_first: bool,
    ) -> Page | None:
        """
        The next page; None if not a line of it fits, or it cannot be read now.

        A page that fits only in part is read again with a lower limit, so that its positions are
        exact.
        """
        limit = self._lines
        while True:
            try:
                page = read(at, limit)
            except Unavailable:
                if self._pages == 0:
                    raise
                self.is_cut_short = True
                return None
            self._pages += 1
            fitting, size = self._fitting(page.events, newest_first)
            if fitting == len(page.events):
                self._lines -= fitting
                self._left -= size
                return page
            self.is_cut_short = True
            if fitting == 0 and self._left < self._room.capacity:
                return None
            if len(page.events) == 1:
                (event,) = page.events
                return replace(page, events=[replace(event, message=self._room.cut(event.message))])
            limit = max(fitting, 1)

    def _fitting(self, events: list[Event], newest_first: bool) -> tuple[int, int]:
        size = 0
        for count, event in enumerate(reversed(events) if newest_first else events):
            line = self._room.size(event.message)
            if size + line > self._left:
                return count, size
            size += line
        return len(events), size
