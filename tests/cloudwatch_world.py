"""What the worlds of the logs' and the metrics' tests share: their clock and a count of calls."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol

from chalicelib import clock


class HasTime(Protocol):
    now: datetime


class WorldClock(clock.Clock):
    """The clock of a world."""

    def __init__(self, world: HasTime) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.now


@contextlib.contextmanager
def counting(client: Any, calls: Counter[str]) -> Iterator[None]:
    """Count in `calls` the operations that `client` makes inside."""
    calls.clear()
    events = client.meta.events

    def note(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    events.register("before-call.*.*", note)
    try:
        yield
    finally:
        events.unregister("before-call.*.*", note)
