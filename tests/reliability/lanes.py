"""
Functions that run at the same time, in virtual time: each is a thread, and one goes on at a time.

A function goes on until it waits: for an answer of AWS, or because it sleeps. Then the one whose
own time is earliest goes on. So what happens is the same each time, and takes no real waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from datetime import timedelta

from tests.reliability.virtual_time import VirtualTime
from tests.yard import Clock


@dataclass(eq=False)
class Lane:
    """One function, and the time that it has come to."""

    at: float
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


_lane: ContextVar[Lane] = ContextVar("lane")
"""Of the function that goes on here, also in threads that it starts and waits for."""


class Lanes:
    """The functions that run, from `begin` until `run` returns."""

    def __init__(self, time: VirtualTime, clock: Clock) -> None:
        self._time, self._clock = time, clock
        self._started = clock.at - timedelta(seconds=time.elapsed)
        self._running: list[Lane] = []
        self._ended = threading.Semaphore(0)
        self.errors: list[BaseException] = []
        time.sleep = self.wait  # type: ignore[method-assign]  # until `close`

    def close(self) -> None:
        del self._time.sleep  # the class's own is there again

    def begin(self, act: Callable[[], object], after: float = 0.0) -> None:
        """Have a function run, some seconds from now."""
        lane = Lane(self._time.elapsed + after)
        self._running.append(lane)
        context = copy_context() if after == 0.0 else Context()
        threading.Thread(target=context.run, args=(self._work, lane, act), daemon=True).start()

    def run(self) -> None:
        """Until all have ended; raises what one of them raised."""
        if self._running:
            self._go_on()
            self._ended.acquire()
        if self.errors:
            raise self.errors[0]

    def wait(self, seconds: float) -> None:
        """From within a function: its time passes, and that of others meanwhile."""
        lane = _lane.get()
        lane.at += seconds
        if min(self._running, key=lambda each: each.at) is not lane:
            self._go_on()
            lane.turn.acquire()
        self._is_now(lane)

    def _work(self, lane: Lane, act: Callable[[], object]) -> None:
        _lane.set(lane)
        lane.turn.acquire()
        self._is_now(lane)
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - `run` raises it
            self.errors.append(error)
        self._running.remove(lane)
        if self._running:
            self._go_on()
        else:
            self._ended.release()

    def _go_on(self) -> None:
        min(self._running, key=lambda each: each.at).turn.release()

    def _is_now(self, lane: Lane) -> None:
        self._time.elapsed = lane.at
        self._clock.at = self._started + timedelta(milliseconds=round(lane.at * 1000))
