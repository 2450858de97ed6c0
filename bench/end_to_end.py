"""The time from a trigger to `succeeded` on the local stack, and of the same command alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from bench import engines
from bench.engines import Bench
from bench.plan import Plan
from bench.report import Table, verdict
from bench.stack import Access, Client, stack
from infra.local import CAP

GOAL_MS = 60.0
"""How much longer one run on processes may take than its command."""
AT_ONCE = 100
GOAL_SECONDS = 2.5
"""For 100 runs at once on processes."""
GOAL_RATIO = 1.3
"""How many times as long as bare starts 100 containers at once may take."""
TERMINAL = ("succeeded", "failed", "cancelled")
PATIENCE = 180
"""The longest time for any number of runs, in seconds."""


def measure(plan: Plan) -> list[Table]:
    """Measure each engine that this machine has."""
    rows, notes = [], [f"`true`; at most {CAP} tasks at once, and as many bare starts."]
    for find in (engines.process, engines.container):
        try:
            bench = find()
        except engines.Missing as error:
            notes.append(f"Containers are left out: {error}")
            continue
        with stack(bench.name, CAP) as access:
            rows += list(_rows(bench, access, plan))
    columns = ["engine, held against", "runs", "Jobyard", "bare", "difference", "goal"]
    return [Table("End to end on the local stack", columns, rows, notes)]


def _rows(bench: Bench, access: Access, plan: Plan) -> Iterator[list[str]]:
    name = f"{bench.name}, {bench.bare}"
    with access.client() as client:
        spec = {"name": "true", "image": bench.image, "command": ["true"]}
        job = str(client.call("POST", "/jobs", spec)["id"])
        _one(client, job)  # the first run also builds the clients
        bench.start()
        ours = statistics.median(_ms(lambda: _one(client, job)) for _ in range(plan.sequential))
        bare = statistics.median(_ms(bench.start) for _ in range(plan.sequential))
        more = ours - bare
        is_judged = bench.name == "process"
        goal = f"+ {GOAL_MS:.0f} ms: {verdict(more, GOAL_MS)}" if is_judged else ""
        yield [
            *(name, f"{plan.sequential}, one by one (median)"),
            *(f"{ours:.0f} ms", f"{bare:.0f} ms", f"+ {more:.0f} ms", goal),
        ]
        for count in plan.at_once:
            ours = _ms(lambda n=count: _together(access, client, job, n))  # type: ignore[misc]
            bare = _ms(lambda n=count: _bare_together(bench, n))  # type: ignore[misc]
            ratio = ours / bare
            goal = _goal_at_once(bench, ours / 1e3, ratio) if count == AT_ONCE else ""
            yield [
                *(name, f"{count} at once"),
                *(f"{ours / 1e3:.2f} s", f"{bare / 1e3:.2f} s", f"{ratio:.1f} times", goal),
            ]


def _goal_at_once(bench: Bench, seconds: float, ratio: float) -> str:
    """A process that takes 2 ms leaves no ratio to be held to, so its goal is a time."""
    if bench.name == "process":
        return f"≤ {GOAL_SECONDS} s: {verdict(seconds, GOAL_SECONDS)}"
    return f"≤ {GOAL_RATIO} times: {verdict(ratio, GOAL_RATIO)}"


def _ms(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1e3


def _one(client: Client, job: str) -> None:
    """Trigger a run, and poll until it is over."""
    run = client.call("POST", f"/jobs/{job}/runs")
    while run["status"] not in TERMINAL:
        time.sleep(0.005)
        run = client.call("GET", f"/jobs/{job}/runs/{run['id']}")
    assert run["status"] == "succeeded", run["error"]


def _together(access: Access, client: Client, job: str, count: int) -> None:
    """Trigger from as many clients at once, and poll the counts until all runs have succeeded."""

    def trigger(_: int) -> None:
        with access.client() as own:
            own.call("POST", f"/jobs/{job}/runs")

    wanted = int(client.call("GET", f"/jobs/{job}/status")["run_counts"]["succeeded"]) + count
    deadline = time.monotonic() + PATIENCE
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(trigger, range(count)))
    while client.call("GET", f"/jobs/{job}/status")["run_counts"]["succeeded"] < wanted:
        assert time.monotonic() < deadline, f"{count} at once did not end"
        time.sleep(0.05)


def _bare_together(bench: Bench, count: int) -> None:
    with ThreadPoolExecutor(CAP) as pool:
        list(pool.map(lambda _: bench.start(), range(count)))
