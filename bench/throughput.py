"""How many requests the API of the local stack answers with 1 to 32 clients."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

from bench.engines import process
from bench.plan import Plan
from bench.report import Table, percentile
from bench.stack import Access, Client, stack
from infra.local import CAP

Ask = Callable[[Client], int]
"""Sends one request and returns its status."""


def measure(plan: Plan) -> list[Table]:
    """Measure reads of a finished run, then triggers, whose tasks run at the same time."""
    rows = []
    with stack("process", CAP) as access:
        with access.client() as client:
            spec = {"name": "true", "image": process().image, "command": ["true"]}
            job = str(client.call("POST", "/jobs", spec)["id"])
            run = client.call("POST", f"/jobs/{job}/runs")
            path = f"/jobs/{job}/runs/{run['id']}"
            while run["status"] != "succeeded":
                time.sleep(0.05)
                run = client.call("GET", path)
        for name, ask in (
            ("read a finished run", lambda client: client.ask("GET", path)[0]),
            ("trigger a run", lambda client: client.ask("POST", f"/jobs/{job}/runs")[0]),
        ):
            rows += [_row(name, access, ask, count, plan.seconds) for count in plan.clients]
    columns = ["request", "clients", "a second", "p50, ms", "p99, ms", "errors"]
    notes = [f"{plan.seconds:g} s each; keep-alive; AWS, the API and the tasks share the cores."]
    return [Table("Throughput of the API on the local stack", columns, rows, notes)]


def _row(name: str, access: Access, ask: Ask, count: int, seconds: float) -> list[str]:
    until = time.monotonic() + seconds
    began = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(lambda _: _calls(access, ask, until), range(count)))
    took = time.perf_counter() - began
    times = [ms for own, _ in found for ms in own]
    errors = sum(own for _, own in found)
    if not times:
        return [name, str(count), "0", "", "", str(errors)]
    return [
        *(name, str(count), f"{len(times) / took:.0f}"),
        *(f"{percentile(times, 50):.1f}", f"{percentile(times, 99):.1f}", str(errors)),
    ]


def _calls(access: Access, ask: Ask, until: float) -> tuple[list[float], int]:
    """
    The times of the answers in ms, and the number of requests without an answer or with an error.
    """
    times, errors = [], 0
    with access.client() as client:
        while time.monotonic() < until:
            began = time.perf_counter()
            try:
                status = ask(client)
            except (OSError, HTTPException):
                errors += 1
                client.close()
                continue
            if status >= 300:
                errors += 1
            else:
                times.append((time.perf_counter() - began) * 1e3)
    return times, errors
