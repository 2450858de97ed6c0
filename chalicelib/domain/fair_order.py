"""In which order what is due gets its turn: the projects take turns, the oldest of each first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import TypeVar

T = TypeVar("T")


def fair_order(items: Iterable[T], project: Callable[[T], str]) -> list[T]:
    """
    `items`, given oldest first, with the projects taking turns: first the oldest of each project,
    then the second oldest of each, and so on; within a turn the oldest first.

    So an item waits for at most as many others as there are projects, for each item of its own
    project that is older, however many another project has.
    """
    given: Counter[str] = Counter()
    placed = []
    for item in items:
        placed.append((given[project(item)], item))
        given[project(item)] += 1
    return [item for _, item in sorted(placed, key=itemgetter(0))]  # a stable sort keeps the age
