"""What a stop of a task takes: SIGTERM, later SIGKILL, each until the engine has taken it."""

from __future__ import annotations

import signal
import time

from infra.local.engines import Running

KILL_AGAIN = 5
"""Seconds after which SIGKILL is sent again to what has not ended."""


class Stopping:
    """
    Sends what a stop takes, and again what the engine did not answer to.

    The stop timeout begins when SIGTERM was delivered: an engine that was away does not take it
    from the container.
    """

    def __init__(self, running: Running, timeout: float) -> None:
        self._running = running
        self._timeout = timeout
        self._kill_at = float("inf")
        self._is_killed = False

    def go_on(self, asked: signal.Signals) -> None:
        now = time.monotonic()
        if asked == signal.SIGKILL and not self._is_killed:
            self._kill_at = now
        if now >= self._kill_at:
            if self._running.signal(signal.SIGKILL):
                self._is_killed = True
                self._kill_at = now + KILL_AGAIN
        elif self._kill_at == float("inf") and self._running.signal(signal.SIGTERM):
            self._kill_at = time.monotonic() + self._timeout
