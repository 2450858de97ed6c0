"""Jobyard's local stack beside Prefect's server and process worker: what a user waits for."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench import plot
from bench.engines import process
from bench.plan import Plan
from bench.prefect_peer import VERSION, Missing, prefect
from bench.report import Table, verdict
from bench.stack import Access, Client, stack
from infra.local import CAP

PLOTS = Path(__file__).resolve().parent.parent / "build" / "bench" / "plots"
HALF = 0.5
PATIENCE = 300
"""Seconds for any number of runs at once."""
REQUESTS = ("list 20 runs", "create", "read a run", "trigger")
ONE = "one run, to its end"


class Side(Protocol):
    """One of the two, through one connection."""

    def create(self, name: str) -> object: ...

    def trigger(self) -> str: ...

    def read(self, run: str) -> Any: ...

    def page(self, limit: int) -> list[Any]: ...

    def has_finished(self, run: str) -> bool: ...

    def finished(self) -> int: ...

    def add_finished(self, number: int) -> None: ...

    def another(self) -> Any: ...


class Jobyard:
    """A job that runs `true` as a process."""

    def __init__(self, access: Access, client: Client, job: str | None = None) -> None:
        self._access, self._client = access, client
        self._job = job or self.create("true")

    def create(self, name: str) -> str:
        spec = {"name": name, "image": process().image, "command": ["true"]}
        return str(self._client.call("POST", "/jobs", spec)["id"])

    def trigger(self) -> str:
        return str(self._client.call("POST", f"/jobs/{self._job}/runs")["id"])

    def read(self, run: str) -> Any:
        return self._client.call("GET", f"/jobs/{self._job}/runs/{run}")

    def page(self, limit: int) -> list[Any]:
        return list(self._client.call("GET", f"/jobs/{self._job}/runs?limit={limit}")["runs"])

    def has_finished(self, run: str) -> bool:
        return bool(self.read(run)["status"] == "succeeded")

    def finished(self) -> int:
        return int(self._client.call("GET", f"/jobs/{self._job}/status")["run_counts"]["succeeded"])

    def add_finished(self, number: int) -> None:
        _burst(self, number, clients=CAP)

    @contextmanager
    def another(self) -> Iterator[Jobyard]:
        with self._access.client() as client:
            yield Jobyard(self._access, client, self._job)


@dataclass(slots=True)
class Found:
    """What was measured of one side."""

    requests: list[float] = field(default_factory=list)
    """Milliseconds, the medians of REQUESTS."""
    one: float = 0.0
    """Milliseconds."""
    burst: list[float] = field(default_factory=list)
    """Seconds."""
    history: list[float] = field(default_factory=list)
    """Milliseconds of a page of runs."""


def measure(plan: Plan) -> list[Table]:
    """One after the other on this machine; a note alone where Prefect cannot be measured."""
    try:
        with prefect() as peer:
            theirs = _found(peer, plan, plan.peer_burst)
    except Missing as error:
        return [Table("Beside Prefect", [], [], [f"Left out: {error}"])]
    with stack("process", CAP) as access, access.client() as client:
        ours = _found(Jobyard(access, client), plan, plan.at_once_with_peers)
    bare = Found(one=_median(_bare, plan.peer_runs))
    bare.burst = [_seconds(lambda n=n: _bare_burst(n)) for n in plan.at_once_with_peers]  # type: ignore[misc]  # bound at once
    _write_plots(plan, ours, theirs, bare)
    return [_latency(plan, ours, theirs, bare), *_growing(plan, ours, theirs, bare)]


def _found(side: Side, plan: Plan, bursts: tuple[int, ...]) -> Found:
    found = Found()
    side.create("the first, which builds clients")
    first = side.trigger()
    _await(lambda: side.has_finished(first))
    found.one = _median(lambda: _one(side), plan.peer_runs)
    names = (f"job {number}" for number in range(10_000))
    for at, behind in enumerate(plan.peer_history):
        side.add_finished(behind - (plan.peer_history[at - 1] if at else plan.peer_runs + 1))
        found.history.append(_median(lambda: side.page(20), plan.peer_requests))
        if not at:
            found.requests = [
                found.history[0],
                _median(lambda: side.create(next(names)), plan.peer_requests),
                _median(lambda: side.read(first), plan.peer_requests),
            ]
    found.burst = [_seconds(lambda n=n: _burst(side, n, clients=n)) for n in bursts]  # type: ignore[misc]  # bound at once
    before = side.finished()
    found.requests.append(_median(side.trigger, plan.peer_runs))
    _await(lambda: side.finished() >= before + plan.peer_runs)
    return found


def _one(side: Side) -> None:
    run = side.trigger()
    _await(lambda: side.has_finished(run), pause=0.005)


def _burst(side: Side, number: int, *, clients: int) -> None:
    """Trigger from many clients, and wait until all runs have succeeded."""
    wanted = side.finished() + number
    each = [number // clients + (n < number % clients) for n in range(clients)]

    def trigger(count: int) -> None:
        with side.another() as own:
            for _ in range(count):
                own.trigger()

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(trigger, each))
    _await(lambda: side.finished() >= wanted, pause=0.05)


def _await(holds: Callable[[], bool], pause: float = 0.02) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s"
        time.sleep(pause)


def _bare() -> None:
    subprocess.run(["true"], check=True)


def _bare_burst(number: int) -> None:
    with ThreadPoolExecutor(CAP) as pool:
        list(pool.map(lambda _: _bare(), range(number)))


def _median(act: Callable[[], object], times: int) -> float:
    return statistics.median(_seconds(act) * 1e3 for _ in range(times))


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _latency(plan: Plan, ours: Found, theirs: Found, bare: Found) -> Table:
    rows = []
    for name, mine, other in zip(REQUESTS, ours.requests, theirs.requests, strict=True):
        goal = "" if name == "trigger" else f"≤ {HALF} times: {verdict(mine / other, HALF)}"
        rows.append([name, f"{mine:.1f} ms", f"{other:.1f} ms", "", f"{mine / other:.2f}", goal])
    rows.append(
        [
            *(ONE, f"{ours.one:.0f} ms", f"{theirs.one:.0f} ms", f"{bare.one:.0f} ms"),
            *(f"{ours.one / theirs.one:.3f}", ""),
        ]
    )
    notes = [
        f"Medians of {plan.peer_requests} requests, and of {plan.peer_runs} runs and triggers of "
        f"`true`. Prefect {VERSION} with its process worker. To create is to create a job, or a "
        "deployment of a flow that is there.",
        "![Latency](plots/latency.svg)",
    ]
    columns = ["request", "Jobyard", "Prefect", "bare", "of Prefect's", "goal"]
    return Table("Beside Prefect: latency", columns, rows, notes)


def _growing(plan: Plan, ours: Found, theirs: Found, bare: Found) -> Iterator[Table]:
    """The tables of bursts and of a growing history."""
    others = [*theirs.burst, *[None] * len(plan.at_once_with_peers)]
    rows = [
        [str(n), f"{mine:.2f} s", f"{other:.1f} s" if other else "", f"{alone:.2f} s"]
        for n, mine, other, alone in zip(
            plan.at_once_with_peers, ours.burst, others, bare.burst, strict=False
        )
    ]
    note = f"From as many clients; at most {CAP} tasks at once on each side."
    columns = ["runs at once", "Jobyard", "Prefect", "bare"]
    yield Table("Beside Prefect: bursts", columns, rows, [note, "![Bursts](plots/burst.svg)"])
    rows = [
        [f"{n:,}", f"{mine:.1f} ms", f"{other:.1f} ms"]
        for n, mine, other in zip(plan.peer_history, ours.history, theirs.history, strict=True)
    ]
    columns = ["finished runs", "Jobyard: list 20", "Prefect: list 20"]
    yield Table("Beside Prefect: history", columns, rows, ["![History](plots/scale.svg)"])


def _write_plots(plan: Plan, ours: Found, theirs: Found, bare: Found) -> None:
    PLOTS.mkdir(parents=True, exist_ok=True)
    latency: plot.Series = {
        "Jobyard": [*ours.requests, ours.one],
        "Prefect": [*theirs.requests, theirs.one],
        "bare": [*[None] * len(REQUESTS), bare.one],
    }
    title = "What one request takes, and one run of `true`"
    (PLOTS / "latency.svg").write_text(plot.bars(title, [*REQUESTS, ONE], latency, "ms"))
    at = plan.at_once_with_peers
    missing = [None] * (len(at) - len(theirs.burst))
    burst: plot.Series = {
        "Jobyard": ours.burst,
        "Prefect": [*theirs.burst, *missing],
        "bare": bare.burst,
    }
    title = "From the first trigger to the end of the last run"
    text = plot.lines(title, at, burst, "s", x_name="runs of `true` at once")
    (PLOTS / "burst.svg").write_text(text)
    scale = {"Jobyard": ours.history, "Prefect": theirs.history}
    title = "A page of 20 runs behind ever more runs"
    text = plot.lines(title, plan.peer_history, scale, "ms", x_name="finished runs")
    (PLOTS / "scale.svg").write_text(text)
