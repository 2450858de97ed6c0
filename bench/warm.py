"""Warm requests: the CPU time of each handler when AWS answers at once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.cold import play
from bench.plan import Plan
from bench.record import Recorded, record
from bench.report import Table, percentile, verdict

GOAL_MS = 3.0
SWEEP_GOAL_MS = 5.0


def measure(plan: Plan) -> list[Table]:
    """Run each route and event handler `plan.requests` times in a process of its own."""
    recorded = record(plan.page)[: plan.kinds]
    with tempfile.TemporaryDirectory() as directory:
        tape = Path(directory) / "tape.json"
        rows = [_row(request, tape, plan.requests) for request in recorded]
    notes = [
        f"{plan.requests} calls each, in a process of their own; CPU time of the thread. botocore "
        "builds and signs every request and parses every answer; the socket and TLS are left out."
    ]
    columns = ["call", "AWS calls", "p50, ms", "p99, ms", "ms per AWS call", "goal"]
    return [Table("Warm requests: CPU time", columns, rows, notes)]


def _row(request: Recorded, tape: Path, times: int) -> list[str]:
    played = play(request, tape, times)
    cpu_ms = played["cpu_ms"]
    assert isinstance(cpu_ms, list)
    median = percentile(cpu_ms, 50)
    calls = len(request.tape) - request.token_calls
    goal = _goal(request)
    return [
        request.name,
        str(calls),
        f"{median:.2f}",
        f"{percentile(cpu_ms, 99):.2f}",
        f"{median / calls:.2f}" if calls else "",
        f"≤ {goal:.0f}: {verdict(median, goal)}" if goal else "",
    ]


def _goal(request: Recorded) -> float | None:
    """Milliseconds at the median; None: no goal was set for it."""
    if request.handler == "sweep":
        return SWEEP_GOAL_MS
    is_read = request.event.get("httpMethod") == "GET"
    return GOAL_MS if is_read or request.name == "trigger a run" else None
