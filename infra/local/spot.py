"""The setting of `make up SPOT=…`: how the local Fargate imitates that Spot capacity goes away."""

from __future__ import annotations

from dataclasses import dataclass

NONE = "none"


@dataclass(frozen=True, slots=True)
class Spot:
    """What becomes of the tasks that are launched on FARGATE_SPOT."""

    has_capacity: bool = True
    """Without any, RunTask answers that capacity is unavailable."""
    interrupt_after: int | None = None
    """Seconds from a task's start to its interruption; None: none is interrupted."""


STEADY = Spot()
"""There is always capacity, and it is never taken back."""


def spot(text: str) -> Spot:
    """The setting's text: `none`, or a number of seconds. ValueError says what is wrong."""
    if text == NONE:
        return Spot(has_capacity=False)
    if text.isascii() and text.isdigit() and int(text) > 0:
        return Spot(interrupt_after=int(text))
    raise ValueError(f"{text} is neither {NONE} nor a number of seconds, at least 1")
