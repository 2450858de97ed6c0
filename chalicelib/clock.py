"""Time: what it is now, waiting, and the deadline of the work under way."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import count

ENOUGH_FOR_A_CALL = 0.5
"""Seconds that must be left for a call to be made once more."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""In seconds of the clock's `monotonic`. A context variable, so that no signature carries it."""


class Clock:
    """This machine's time. A test hands in one that it moves itself."""

    def now(self) -> datetime:
        """The time in UTC, in whole milliseconds as DynamoDB and the API show it."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def monotonic(self) -> float:
        """Seconds since some moment; only differences mean something."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        time.sleep(seconds)

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Every AWS call inside must be answered within `seconds`; a tighter outer one stays."""
        outer = _deadline.get()
        mine = self.monotonic() + seconds
        token = _deadline.set(mine if outer is None else min(mine, outer))
        try:
            yield
        finally:
            _deadline.reset(token)

    def remaining(self) -> float:
        """Seconds left to the caller; infinity where no deadline was set."""
        at = _deadline.get()
        return float("inf") if at is None else at - self.monotonic()

    def tries(
        self,
        most: int | None,
        *,
        first: float,
        longest: float,
        spare: float = ENOUGH_FOR_A_CALL,
    ) -> Iterator[int]:
        """
        Numbers the tries of something repeatable from 0; the caller leaves the loop on success.

        Before each further try it waits for a random time of at most `first` seconds, doubling up
        to `longest` ("Exponential Backoff and Jitter", AWS architecture blog). It ends after `most`
        tries, or when fewer than `spare` seconds would be left to the caller.
        """
        for turn in count() if most is None else range(most):
            if turn:
                pause = random.uniform(0, min(first * 2 ** (turn - 1), longest))
                if self.remaining() < pause + spare:
                    return
                self.sleep(pause)
            yield turn
