"""Repeating a write that lost to a concurrent change of the same job."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.clock import Clock
from chalicelib.domain.errors import Conflict

TRIES = 60
"""At most, where the caller has no deadline; a request's deadline ends them earlier."""
LONGEST_PAUSE = 1.0
SPARE = 2.0
"""Seconds that must be left for one more try: its reads, its writes, and time to answer."""


def tries(clock: Clock, most: int = TRIES) -> Iterator[int]:
    """
    The numbers of the tries of an optimistic write, from 0: the caller leaves when it succeeded.

    Of several writers that read the same version one always succeeds, so in the end all of them do.
    The pauses keep the others from all reading at the same moment again.
    """
    return clock.tries(most, first=0.02, longest=LONGEST_PAUSE, spare=SPARE)


def gave_up() -> Conflict:
    """The error of a caller whose every try lost."""
    return Conflict("The job is being changed at the same time. Try again.")
