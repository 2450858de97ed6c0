"""
Who owns what runs: the mark that every child and container of a stack carries.

A stack that was killed leaves children behind. The next one may remove them only if their
owner is gone, since two stacks may run side by side (`make demo` beside `make up`).
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

import psutil

CLOCK_STEP = 5
"""Seconds by which a create time may differ from itself: it moves when the clock is set."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process of this or another machine, told apart from a later one of the same pid."""

    host: str
    pid: int
    started: int
    """Create time in seconds since the epoch."""

    @classmethod
    def this(cls) -> Owner:
        return cls(platform.node(), os.getpid(), _started(psutil.Process()))

    @classmethod
    def parse(cls, text: str) -> Owner:
        """ValueError for what `str(owner)` never gives."""
        host, pid, started = text.rsplit("/", 2)
        return cls(host, int(pid), int(started))

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.started}"

    @property
    def is_gone(self) -> bool:
        """It ran on this machine and does not any more; another machine's never is."""
        if self.host != platform.node():
            return False
        try:
            return abs(_started(psutil.Process(self.pid)) - self.started) > CLOCK_STEP
        except psutil.NoSuchProcess:
            return True


def _started(process: psutil.Process) -> int:
    return int(process.create_time())
