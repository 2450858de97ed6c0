"""
Lines in the order in which CloudWatch keeps them: by timestamp, then by arrival.

An event's id is its timestamp in epoch milliseconds, followed by 144 bits which order the events
of one millisecond: so are the ids that FilterLogEvents shows, and so are the tokens of
GetLogEvents, `f/` or `b/` and the id that they stand behind or before.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise, takewhile
from typing import Any

from moto.logs.models import LogEvent, LogStream

MAX_BYTES = 1_048_576
"""Of a batch and of a page."""
MAX_EVENTS = 10_000
"""Of a batch and of a page."""
EVENT_OVERHEAD = 26
"""Bytes that count for an event beside its message."""
_SHIFT = 144


def at_ms(time: int) -> int:
    """The lowest id that an event of this millisecond can have."""
    return time << _SHIFT


def key(event: LogEvent) -> int:
    return at_ms(int(event.timestamp)) | int(event.event_id)


def size(event: LogEvent) -> int:
    return len(event.message.encode()) + EVENT_OVERHEAD


def check_batch(batch: list[dict[str, Any]]) -> None:
    """ValueError with PutLogEvents' words for a batch that it refuses whole."""
    if not 1 <= len(batch) <= MAX_EVENTS:
        raise ValueError("1 validation error detected: 'logEvents' must have 1 to 10000 members")
    sizes = [len(event["message"].encode()) + EVENT_OVERHEAD for event in batch]
    if min(sizes) == EVENT_OVERHEAD:
        raise ValueError("1 validation error detected: 'message' must have at least 1 character")
    if max(sizes) > MAX_BYTES:
        raise ValueError(f"Log event too large: {max(sizes)} bytes exceeds limit of {MAX_BYTES}")
    if sum(sizes) > MAX_BYTES:
        raise ValueError(f"Upload too large: {sum(sizes)} bytes exceeds limit of {MAX_BYTES}")
    times = [event["timestamp"] for event in batch]
    if any(one > other for one, other in pairwise(times)):
        raise ValueError(
            "Log events in a single PutLogEvents request must be in chronological order."
        )
    if times[-1] - times[0] > 24 * 3_600_000:
        raise ValueError("The batch of log events cannot span more than 24 hours.")


def append(stream: LogStream, events: list[LogEvent]) -> None:
    """Add events, themselves in order, where they belong."""
    in_order = not stream.events or not events or key(stream.events[-1]) < key(events[0])
    stream.events += events
    if not in_order:
        stream.events.sort(key=key)


def indexes(events: Sequence[LogEvent], low: int, high: int) -> range:
    """Where the events with low <= id < high are."""
    first = bisect_left(events, low, key=key)
    return range(first, max(first, bisect_left(events, high, key=key)))


def page(events: Iterable[LogEvent], limit: int) -> list[LogEvent]:
    """As many of the first as fit in a page, but one at least if there is one."""
    room = MAX_BYTES

    def fits(event: LogEvent) -> bool:
        nonlocal room
        is_first = room == MAX_BYTES
        room -= size(event)
        return is_first or room >= 0

    return list(islice(takewhile(fits, events), limit))


def merged(
    streams: Iterable[LogStream], low: int, high: int, *, from_head: bool
) -> Iterator[tuple[LogEvent, str]]:
    """The events of all streams with low <= id < high, each with its stream's name, in order."""

    def part(stream: LogStream) -> Iterator[tuple[LogEvent, str]]:
        found = indexes(stream.events, low, high)
        order = found if from_head else reversed(found)
        return ((stream.events[index], stream.log_stream_name) for index in order)

    parts = [
        part(stream)
        for stream in streams
        if stream.events and key(stream.events[0]) < high and key(stream.events[-1]) >= low
    ]
    return heapq.merge(*parts, key=lambda pair: key(pair[0]), reverse=not from_head)


def token(side: str, event_id: int) -> str:
    return f"{side}/{event_id:056d}/s"


def read_token(text: str) -> tuple[str, int]:
    """Its side, `f` or `b`, and the id that it stands behind or before; ValueError."""
    side, _, rest = text.partition("/")
    if side not in ("f", "b"):
        raise ValueError(text)
    return side, int(rest.removesuffix("/s"))
