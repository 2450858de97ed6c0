"""How much output the local stack keeps: of what exceeds a limit, the oldest is dropped first."""

from __future__ import annotations

import logging
from collections import deque
from weakref import ReferenceType, WeakKeyDictionary, ref

from moto.logs.models import LogEvent, LogStream

EVENT_MEMORY = 300
"""Bytes that an event takes beside its message, in CPython 3.11 to 3.14."""
LEFT = 0.8
"""Part of the limit that a drop leaves, so that not every batch drops something."""

log = logging.getLogger(__name__)


class KeptOutput:
    """The events of all streams, in the order of their arrival; not thread-safe."""

    def __init__(self) -> None:
        self.limit: int | None = None
        """Bytes of memory; None: everything is kept."""
        self._batches: deque[tuple[ReferenceType[LogStream], int, int]] = deque()
        """(stream, events, bytes), the oldest first."""
        self._sizes: WeakKeyDictionary[LogStream, int] = WeakKeyDictionary()
        """Bytes of each stream that there is: deleted ones go by themselves."""
        self._total = 0
        """Of all streams, and of those deleted since it was last counted."""

    def add(self, stream: LogStream, events: list[LogEvent]) -> None:
        """These have arrived, and are in the stream."""
        if self.limit is None or not events:
            return
        size = sum(len(event.message) + EVENT_MEMORY for event in events)
        self._batches.append((ref(stream), len(events), size))
        self._sizes[stream] = self._sizes.get(stream, 0) + size
        self._total += size
        if self._total > self.limit:
            self._total = sum(self._sizes.values())
        if self._total > self.limit:
            self._drop(int(self.limit * LEFT))

    def _drop(self, wanted: int) -> None:
        lines = 0
        while self._total > wanted and self._batches:
            reference, count, size = self._batches.popleft()
            stream = reference()
            if stream is None:
                continue
            # A batch that came late, with old timestamps, may go in place of this one.
            del stream.events[:count]
            self._sizes[stream] -= size
            self._total -= size
            lines += count
        log.warning("the oldest %s lines of output were dropped: the limit is OUTPUT_MB", lines)
