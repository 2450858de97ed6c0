"""Time in which waiting takes no real time."""

from __future__ import annotations

from tests.yard import Clock


class VirtualTime:
    """Replaces the module `time`: only sleeping moves it, and nothing really sleeps."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.elapsed += seconds


class WorldClock(Clock):
    """The yard's clock, on which waiting takes no real time either."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time

    def monotonic(self) -> float:
        return self._time.monotonic()

    def sleep(self, seconds: float) -> None:
        self._time.sleep(seconds)
