"""Several things at once, begun in their order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import TypeVar

from chalicelib.clock import Clock

T = TypeVar("T")

ENOUGH = 1.0
"""Nothing more is begun with fewer seconds left to the caller than this."""


def each(
    items: Iterable[T],
    do: Callable[[T], object],
    *,
    workers: int,
    clock: Clock,
    wait: Callable[[], object] = lambda: None,
) -> int:
    """
    `do` each of `items`, `workers` at once, begun in their order; `wait` is called before each.

    Returns how many were begun: all of them, unless the caller's time was up.
    """
    from concurrent.futures import ThreadPoolExecutor  # at first use: a request never needs it

    ahead = iter(items)
    turn = threading.Lock()
    begun = 0

    def work() -> None:
        nonlocal begun
        while clock.remaining() >= ENOUGH:
            with turn:
                try:
                    item = next(ahead)
                except StopIteration:
                    return
                wait()
                begun += 1
            do(item)

    with ThreadPoolExecutor(workers) as pool:
        working = [pool.submit(copy_context().run, work) for _ in range(workers)]
    for one in working:
        one.result()
    return begun
