"""The command line: the CPU time of `jobyard --help` and of other commands that print little."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.plan import Plan
from bench.report import Table, verdict

ROOT = Path(__file__).resolve().parent.parent
GOAL_MS = 150.0
COMMANDS = {
    "`python -c pass`": ("-c", "pass"),
    "`import click`": ("-c", "import click"),
    "`jobyard --help`": ("-m", "jobyard", "--help"),
    "`jobyard run --help`": ("-m", "jobyard", "run", "--help"),
}


def measure(plan: Plan) -> list[Table]:
    """The least CPU time of several fresh processes, started in turns."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(plan.imports):
        for name, words in COMMANDS.items():
            taken[name].append(_cpu_ms(words))
    bare = min(taken["`python -c pass`"])
    rows = []
    for name, found in taken.items():
        least = min(found)
        goal = f"≤ {GOAL_MS:.0f}: {verdict(least, GOAL_MS)}" if name == "`jobyard --help`" else ""
        rows.append([name, f"{least:.0f}", f"{least / bare:.1f}", goal])
    note = f"User and system time of a whole process, the least of {plan.imports}."
    return [Table("The command line", ["command", "CPU, ms", "to pass", "goal"], rows, [note])]


def _cpu_ms(words: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3
