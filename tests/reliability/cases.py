"""Cases that nobody writes down: one for each AWS call that an operation makes."""

from __future__ import annotations

from collections.abc import Callable

MOST = 200
"""Calls of one operation; more would be a loop."""


def at_every_call(happen: Callable[[int], str | None], hold: Callable[[], None]) -> None:
    """
    `happen` at the first call of an operation, then at the second, and on, each time in a world
    made anew: it answers where it was, or None where the operation got through without such a
    call, which is the last case. `hold` after each; AssertionError names all that did not.
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
    assert number < MOST - 1, "it never got through"
