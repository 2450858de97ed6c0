"""Runs a test once for each AWS call that an operation makes."""

from __future__ import annotations

from collections.abc import Callable

MOST = 200
"""The most calls that one operation may make; more would be a loop."""


def at_every_call(happen: Callable[[int], str | None], hold: Callable[[], None]) -> None:
    """
    Call `happen` with 1, 2, 3 …, the number of the AWS call at which something goes wrong, and
    `hold` after each. `happen` makes a fresh world and returns the call's name, or None if the
    operation ended before such a call, which is the last case. AssertionError lists every case that
    failed.
    """
    broken = []
    for number in range(1, MOST):
        where = None
        try:
            where = happen(number)
            hold()
        except AssertionError as error:
            broken.append(f"call {number}, {where}:\n{error}")
        if where is None:
            break
    assert not broken, "\n\n".join(broken)
    assert number < MOST - 1, "the operation never ended"
