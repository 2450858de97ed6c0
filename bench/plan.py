"""How much is measured: everything for `make bench`, a little of each part for the tests."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of every part."""

    imports: int
    """Fresh interpreters for each row of the cold start."""
    kinds: int
    """Kinds of requests, each measured in a process of its own."""
    requests: int
    """Warm calls of each route."""
    page: int
    """Jobs and runs on one page of a list."""
    runs: tuple[int, ...]
    """Runs of one job in the scale part."""
    jobs: tuple[int, ...]
    """Jobs of one project in the scale part."""
    starts: int
    """Of the local stack, with each engine."""
    sequential: int
    """Runs one after the other, end to end."""
    at_once: tuple[int, ...]
    clients: tuple[int, ...]
    """Clients that call the API at the same time."""
    peer_requests: int
    """Of each kind to each side."""
    peer_runs: int
    """One after the other on each side."""
    peer_burst: tuple[int, ...]
    """At once on Prefect, the beginning of the next."""
    at_once_with_peers: tuple[int, ...]
    """At once on Jobyard and bare."""
    peer_history: tuple[int, ...]
    """Finished runs; the first is more than `peer_runs`."""
    seconds: float
    """How long each number of clients keeps calling."""


FULL = Plan(
    imports=12,
    kinds=100,
    requests=1_000,
    page=20,
    runs=(40, 1_000, 100_000),
    jobs=(100, 5_000),
    starts=5,
    sequential=10,
    at_once=(20, 100),
    clients=(1, 8, 32),
    peer_requests=40,
    peer_runs=10,
    peer_burst=(1, 5, 20),
    at_once_with_peers=(1, 5, 20, 100),
    peer_history=(20, 200, 1_000),
    seconds=3.0,
)
LARGE = replace(FULL, runs=(40, 1_000_000), jobs=(100, 50_000))
"""Of the scale part alone, for docs/scale.md: some twenty minutes, and 8 GB of memory."""
TINY = Plan(
    imports=1,
    kinds=2,
    requests=3,
    page=2,
    runs=(40, 80),
    jobs=(100, 140),
    starts=1,
    sequential=1,
    at_once=(2,),
    clients=(1, 2),
    peer_requests=2,
    peer_runs=1,
    peer_burst=(1,),
    at_once_with_peers=(1, 2),
    peer_history=(3, 6),
    seconds=0.3,
)
