"""
What lines can be read from, in either direction and from an exact position.

- `StreamSource`, one stream by GetLogEvents: a position is CloudWatch's own token, which is
  exact. It names the event that it stands before or behind, so that what is appended later is
  neither lost nor repeated.
- `SearchSource`, a search by FilterLogEvents: a position is the event that was read last.
  CloudWatch sorts by timestamp, then by time of ingestion, so all that comes later sorts behind
  it, unless it was delivered late. While a search is under way and has found nothing, it is
  CloudWatch's token.

The forward token of a page without events is never kept for a stream that is still written to:
CloudWatch's token lies two hours ahead (boto/boto3#3718 shows one), and a caller who followed from
it would lose every line until then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from chalicelib.cloud.logs import Event, Logs

LATE_MS = 120_000
"""How late CloudWatch may deliver a line that a search which found nothing still finds later."""
EARLIEST_MS = 1_704_067_200_000
"""2024-01-01: FilterLogEvents does not read newest first before it."""
SKIP_MARGIN = 100
"""How many lines more to ask for where the first of them have been read before."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on within a source; JSON values only."""

    token: str | None = None
    range: tuple[int, int] | None = None
    """In a search: the [start, end) that `token` belongs to; it must be repeated with it."""
    time: int | None = None
    """In a search: the timestamp that was reached."""
    event: str | None = None
    """In a search: the event of that timestamp behind which to go on; none: with the first."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, oldest line first."""

    events: list[Event]
    before: Position | None
    """Right before its first line, to read back from; None if it has no line."""
    after: Position | None
    """Where to go on forwards; None: from where this page was read."""
    resume: Position | None
    """Where to go on in the direction of reading; None: this source has no more now."""


EMPTY = Page([], None, None, None)


class Source(Protocol):
    """Something to read lines from; `attempt` and `task` name it in a cursor."""

    @property
    def attempt(self) -> int: ...

    @property
    def task(self) -> str: ...

    @property
    def keeps_place(self) -> bool:
        """Whether it is safe to go on later from a position that no line stands at."""

    def older(self, at: Position | None, limit: int) -> Page: ...

    def newer(self, at: Position | None, limit: int) -> Page: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSource:
    """A stream's lines with `start` <= timestamp < `end` (epoch ms), in CloudWatch's order."""

    logs: Logs
    group: str
    stream: str
    start: int
    end: int
    attempt: int
    task: str
    is_closed: bool
    """Nothing will be written to it any more."""

    @property
    def keeps_place(self) -> bool:
        return self.is_closed

    def older(self, at: Position | None, limit: int) -> Page:
        return self._read(at, limit, from_head=False)

    def newer(self, at: Position | None, limit: int) -> Page:
        return self._read(at, limit, from_head=True)

    def _read(self, at: Position | None, limit: int, *, from_head: bool) -> Page:
        if self.start >= self.end:
            return EMPTY
        token = at.token if at else None
        page = self.logs.get_events(
            self.group,
            self.stream,
            start=self.start,
            end=self.end,
            limit=limit,
            token=token,
            from_head=from_head,
        )
        if page is None:
            return EMPTY
        onward = page.forward if from_head else page.backward
        resume = None if onward == token else Position(onward)
        if not page.events:
            return Page([], None, None, resume)
        return Page(page.events, Position(page.backward), Position(page.forward), resume)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSource:
    """The lines of a group, or of some of its streams, that match a pattern, by timestamp."""

    logs: Logs
    group: str
    streams: tuple[str, ...]
    """None given: all of them."""
    pattern: str | None
    start: int
    end: int
    now: int
    attempt: int
    task: str

    @property
    def keeps_place(self) -> bool:
        return True

    @property
    def _start(self) -> int:
        return max(self.start, EARLIEST_MS)

    @property
    def _settled(self) -> int:
        """A search that found nothing need not repeat what lies before this."""
        return self.now - LATE_MS

    def older(self, at: Position | None, limit: int) -> Page:
        until = self.end if at is None or at.time is None else at.time + 1
        events, resume = self._read(at, (self._start, until), limit, from_head=False)
        events.reverse()
        if not events and resume is None and (at is None or at.time is None):
            # nothing at all up to the end, as it was when the search began
            since_then = self.end - at.range[1] if at and at.range else 0
            return replace(EMPTY, after=Position(time=self._settled - since_then))
        return _page(events, resume)

    def newer(self, at: Position | None, limit: int) -> Page:
        since = self._start if at is None or at.time is None else at.time
        events, resume = self._read(at, (since, self.end), limit, from_head=True)
        if not events and resume is None and since < self._settled:
            # nothing since then: the next search need not begin there again
            return replace(EMPTY, after=Position(time=self._settled))
        return _page(events, resume)

    def _read(
        self, at: Position | None, span: tuple[int, int], limit: int, *, from_head: bool
    ) -> tuple[list[Event], Position | None]:
        """At most `limit` events in the direction of reading, and where to go on."""
        at = at or Position()
        start, end = at.range or (max(span[0], self._start), min(span[1], self.end))
        if start >= end:
            return [], None
        page = self.logs.filter_events(
            self.group,
            streams=self.streams,
            pattern=self.pattern,
            start=start,
            end=end,
            limit=limit if at.event is None else limit + SKIP_MARGIN,
            token=at.token,
            from_head=from_head,
        )
        if page is None:
            return [], None
        events, is_passed = _behind(page.events, at)
        if len(events) > limit:
            return events[:limit], _at(events[limit - 1])
        if page.token is not None:
            reached = events[-1].timestamp if events else at.time
            still_to_pass = None if is_passed else at.event
            return events, Position(page.token, (start, end), reached, still_to_pass)
        if from_head and end < self.end:  # the token's range ended when the token was made
            return events, _at(events[-1]) if events else Position(time=end)
        return events, None


def _at(event: Event) -> Position:
    return Position(time=event.timestamp, event=event.event_id)


def _behind(events: list[Event], at: Position) -> tuple[list[Event], bool]:
    """What comes behind the event `at`, in the direction of reading, and whether it is passed."""
    if at.event is None:
        return events, True
    for index, event in enumerate(events):
        if event.timestamp != at.time:
            return events[index:], True  # the event itself is gone
        if event.event_id == at.event:
            return events[index + 1 :], True
    return [], False


def _page(events: list[Event], resume: Position | None) -> Page:
    if not events:
        return Page([], None, None, resume)
    return Page(events, _at(events[0]), _at(events[-1]), resume)
