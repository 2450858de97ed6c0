"""What the worlds of logs and of metrics share: their time, and a count of their calls."""

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
    """A world's own time."""

    def __init__(self, world: HasTime) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.now


@contextlib.contextmanager
def counting(client: Any, calls: Counter[str]) -> Iterator[None]:
    """`calls` are those that `client` makes inside, by operation."""
    calls.clear()
    events = client.meta.events

    def note(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    events.register("before-call.*.*", note)
    try:
        yield
    finally:
        events.unregister("before-call.*.*", note)
