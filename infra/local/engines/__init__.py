"""
What runs a task on this machine: containers where an engine answers, else processes.

An engine starts a `Spec` and says when it has exited; all that is ECS's (states, stop
timeouts, logs, metrics) is the local Fargate's and the same for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infra.local.task_spec import Spec

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended."""

    code: int | None
    """128 + signal where a signal ended it, as Docker counts; None: the engine lost it."""
    at: float
    """When, in epoch seconds: before it was waited for and its output was read."""
    reason: str | None = None
    cpu_seconds: float | None = None
    """All that it used, where the engine knows it exactly."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU since the start, in seconds of one core, and memory held now, in bytes."""

    cpu_seconds: float
    memory_bytes: int


OUTPUT = "output"
"""Name of the file, in a task's directory, that its output is appended to."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """What an engine asks and tells about one task."""

    is_wanted: Callable[[], bool]
    """Asked during what may take long, such as a pull."""
    exited: Callable[[Exit], None]
    """
    Called once, from another thread, when nothing of the task runs any more and all of its
    output is in the file.
    """


class StartError(Exception):
    """The container could not be started; the text is what ECS shows as `stoppedReason`."""


class Running(Protocol):
    """A started container or process group."""

    words: str
    """Which one it is, for a person who may have to end it by hand."""

    def signal(self, number: int) -> bool:
        """
        Send a signal to all of it; nothing if it has ended.

        Whether the engine answered: after False the signal has to be sent again.
        """


class Engine(Protocol):
    """Starts containers, or what stands in for them."""

    name: str
    answers_at_start: bool
    """Whether `start` returns as soon as the task has begun, and not some time after."""

    def notice(self, spec: Spec) -> str | None:
        """A line to put before the output, saying what this engine does not do."""

    def start(self, spec: Spec, directory: Path, handlers: Handlers) -> Running:
        """
        Start it; stdout and stderr are appended to the file `output` in `directory`.

        Raises StartError, also if it is not wanted any more before it could be started.
        """

    def measure(self, running: Sequence[Running]) -> list[Usage | None]:
        """What each uses now; None for one that has just ended."""

    def clear_leftovers(self) -> None:
        """Remove what a stack of this machine left behind when it was killed."""

    def close(self) -> list[str]:
        """Release the engine; in words what may be left because the engine did not answer."""
