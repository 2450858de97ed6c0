"""
Lambda's asynchronous invocation: events are queued, handled in the background, and tried again.

Events of one key (one task, say) are handled in their order by one thread; Lambda itself promises
no order, and a function that fails is tried twice more, here after seconds instead of minutes.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from infra.local.lambda_context import Context

LANES = 4
PAUSES = (1.0, 2.0)
"""Seconds before the second and the third try (on Lambda one and two minutes)."""
SECONDS = 60

Function = Callable[[dict[str, Any], Context], Any]
_Item = tuple[Function, dict[str, Any]]

log = logging.getLogger(__name__)


class Invoker:
    """A few threads that hand events to functions."""

    def __init__(self, lanes: int = LANES) -> None:
        self._stopping = threading.Event()
        self._lanes: list[SimpleQueue[_Item | None]] = [SimpleQueue() for _ in range(lanes)]
        self._threads = [
            threading.Thread(target=self._work, args=(lane,), name=f"lambda-{n}", daemon=True)
            for n, lane in enumerate(self._lanes)
        ]
        for thread in self._threads:
            thread.start()

    def invoke(self, function: Function, event: dict[str, Any], key: str) -> None:
        """Queue it behind the earlier ones of the same key."""
        self._lanes[zlib.crc32(key.encode()) % len(self._lanes)].put((function, event))

    def close(self) -> None:
        """Handle what is queued, once each, and leave no thread."""
        self._stopping.set()
        for lane in self._lanes:
            lane.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, lane: SimpleQueue[_Item | None]) -> None:
        while (item := lane.get()) is not None:
            self._try(*item)

    def _try(self, function: Function, event: dict[str, Any]) -> None:
        for pause in (*PAUSES, None):
            try:
                function(event, Context(SECONDS))
                return
            except Exception:
                log.exception("%s failed", getattr(function, "__name__", function))
            if pause is None or self._stopping.wait(pause):
                log.error("given up after the last try: %s", event)
                return
