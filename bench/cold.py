"""Cold start: what a fresh interpreter spends on imports and on its first request."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.archive import Unpacked, unpack
from bench.plan import Plan
from bench.record import Recorded, record
from bench.report import Table, percentile, verdict
from bench.system import variables

ROOT = Path(__file__).resolve().parent.parent
READ = "get a finished run"
ARCHIVE_GOAL = 0.4
"""Of what the archive of before takes."""
BEFORE, BEFORE_ON = 1.58, "2026-11-28"
"""What commit 96919ea's archive took, in what the present one takes without bytecode."""
SIZES = (256, 512, 1024, 1769)
VCPU_MB = 1769
"""Memory that buys one vCPU ("Configure Lambda function memory", AWS Lambda Developer Guide)."""
AWS_MS = 5.0
"""That an AWS call is waited for: an assumption."""
GB_SECOND_USD = 0.0000133334
"""arm64, as in docs/operating.md."""
GOAL = 1.15
BARE = "pass"
NAMED = "import chalice, pydantic, pynamodb.models"
FLOOR = (
    "from chalice.app import Chalice; "
    "from pydantic import BaseModel, Field, WithJsonSchema, field_validator; "
    "from pynamodb.models import Model; from pynamodb.transactions import TransactWrite"
)
"""What the product imports of the three libraries, and nothing of its own."""
APP = "import app"
PEAK = "\nfrom bench.play import peak_mib; print(peak_mib())"


def measure(plan: Plan) -> list[Table]:
    """The archive's cold start, memory sizes, the imports, and the first request of each kind."""
    recorded = record(plan.page)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        unpacked = unpack(directory)
        read = next(one for one in recorded if one.name == READ)
        starts = _starts(plan, unpacked, read, directory / "tape.json")
        return [
            _archive(unpacked, starts, plan),
            _memory(unpacked, read, min(starts["as packaged"]), directory / "tape.json", plan),
            _imports(plan),
            _first(plan, recorded[: plan.kinds], unpacked, directory / "tape.json"),
        ]


def _run(code: str) -> tuple[float, float, float]:
    """
    Wall and CPU time in ms of a whole interpreter from start to exit, and the number it printed.
    """
    read, write = os.pipe()
    began = time.perf_counter()
    words = [sys.executable, "-c", code]
    actions = [(os.POSIX_SPAWN_DUP2, write, 1)]
    process = os.posix_spawn(sys.executable, words, variables(), file_actions=actions)
    os.close(write)
    with os.fdopen(read) as output:
        printed = output.read()
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - began
    if status:
        raise RuntimeError(f"{code!r} failed")
    return wall * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3, float(printed or 0)


def _imports(plan: Plan) -> Table:
    statements = {
        "`python -c pass`": BARE,
        "`import chalice, pydantic, pynamodb.models`": NAMED,
        "the floor: what the product uses of the three": FLOOR,
        "`import app`": APP,
    }
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in statements}
    for _ in range(plan.imports):  # in turns, so that a busy moment of the machine affects all
        for name, code in statements.items():
            runs[name].append(_run(code))
    cpu = {name: min(ms for _, ms, _ in found) for name, found in runs.items()}
    bare, named, floor, _ = cpu.values()
    rows = []
    for name, code in statements.items():
        ratio = cpu[name] / floor
        rows.append(
            [
                *(name, f"{min(ms for ms, _, _ in runs[name]):.0f}", f"{cpu[name]:.0f}"),
                *(f"{cpu[name] / bare:.1f}", f"{cpu[name] / named:.2f}", f"{ratio:.2f}"),
                f"{_run(code + PEAK)[2]:.0f}",
                f"≤ {GOAL}: {verdict(ratio, GOAL)}" if code == APP else "",
            ]
        )
    return Table(
        "Cold start: imports",
        [
            *("fresh interpreter", "wall, ms", "CPU, ms"),
            *("to pass", "to the imports", "to the floor", "MiB", "goal"),
        ],
        rows,
        [
            f"The least of {plan.imports} interpreters, start to exit. Importing is one thread's "
            "work, so on an idle machine wall and CPU time are the same; on a shared one the "
            "ratios of CPU time are what repeats. MiB: peak resident memory."
        ],
    )


def play(
    recorded: Recorded,
    tape: Path,
    times: int,
    code: Path | None = None,
    python: Path = Path(sys.executable),
) -> dict[str, Any]:
    """
    Play the call in a fresh interpreter with bench/play.py, and return its figures.

    `code` is an unpacked archive. Lambda's is read-only, so no bytecode is written into it.
    """
    tape.write_text(recorded.json())
    path = os.pathsep.join(str(one) for one in (code, ROOT) if one)
    more = {"PYTHONDONTWRITEBYTECODE": "1"} if code else {}
    done = subprocess.run(
        [python, "-m", "bench.play", str(tape), str(times)],
        cwd=tape.parent,
        env={**variables(), **more, "PYTHONPATH": path},
        check=True,
        stdout=subprocess.PIPE,
    )
    return dict(json.loads(done.stdout))


def _starts(plan: Plan, unpacked: Unpacked, read: Recorded, tape: Path) -> dict[str, list[float]]:
    """CPU time in ms from the start of an interpreter to its first answer, of each kind."""
    codes = {"as packaged": unpacked.whole, "without bytecode": unpacked.sources}
    found: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(plan.imports):  # in turns, so that a busy moment of the machine meets all
        for name, code in codes.items():
            played = play(read, tape, 0, code, unpacked.python)
            found[name].append(played["start_ms"] + played["import_ms"] + played["first_ms"])
    return found


def _archive(unpacked: Unpacked, starts: dict[str, list[float]], plan: Plan) -> Table:
    sources = starts["without bytecode"]
    rows = []
    for name, found in starts.items():
        ratios = [one / other for one, other in zip(found, sources, strict=True)]
        ratio = statistics.median(ratios)
        before = ratio / BEFORE
        goal = f"≤ {ARCHIVE_GOAL}: {verdict(before, ARCHIVE_GOAL)}" if found is not sources else ""
        rows.append(
            [
                *(name, f"{min(found):.0f}", f"{statistics.median(found):.0f}"),
                *(f"{ratio:.2f}", f"{before:.2f}", goal),
            ]
        )
    note = (
        f"CPU time of a fresh interpreter from its start to its first answer of `{READ}`, from the "
        f"unpacked archive ({unpacked.size / 1e6:.1f} MB), {plan.imports} of each in turns. Ratios "
        f"are medians of pairs. {unpacked.note} The archive of before had no bytecode and imported "
        f"more: it took {BEFORE} times the second row, in one run on {BEFORE_ON}."
    )
    columns = ["archive", "least, ms", "median, ms", "to no bytecode", "to before", "goal"]
    return Table("Cold start: the archive", columns, rows, [note])


def _memory(unpacked: Unpacked, read: Recorded, cold_ms: float, tape: Path, plan: Plan) -> Table:
    """What sizes of memory mean for a read, by the CPU time that was measured."""
    played = play(read, tape, plan.requests, unpacked.whole, unpacked.python)
    warm_ms, calls = percentile(played["cpu_ms"], 50), len(read.tape) - read.token_calls
    rows = []
    for size in SIZES:
        share = min(size / VCPU_MB, 1)
        waited = warm_ms / share + calls * AWS_MS
        usd = waited / 1e3 * size / 1024 * GB_SECOND_USD * 1e6
        rows.append([str(size), f"{cold_ms / share:.0f}", f"{waited:.1f}", f"{usd:.2f}"])
    note = (
        f"Arithmetic from the measured {cold_ms:.0f} ms of a cold start and {warm_ms:.2f} ms of a "
        f"warm request: {VCPU_MB} MB have one vCPU, and less its share; each AWS call is waited "
        f"for {AWS_MS} ms; {GB_SECOND_USD} USD a GB-second. A function holds "
        f"{float(played['first_mib']):.0f} MiB after its first request."
    )
    columns = ["memory, MB", "cold start, ms", "warm read, ms", "USD a million reads"]
    return Table(f"Memory: `{READ}`", columns, rows, [note])


def _first(plan: Plan, recorded: Sequence[Recorded], unpacked: Unpacked, tape: Path) -> Table:
    """Every kind of call as the first one, from the archive as packaged."""
    rows = []
    for request in recorded:
        played = [
            play(request, tape, 0, unpacked.whole, unpacked.python)
            for _ in range(max(1, plan.imports // 4))
        ]
        names = ("import_ms", "first_ms", "first_mib")
        rows.append([request.name, *(f"{min(one[name] for one in played):.0f}" for name in names)])
    note = (
        "CPU time from the archive as packaged, with AWS answered at once from a tape. MiB: peak "
        "resident memory."
    )
    columns = ["first request", "import, ms", "request, ms", "MiB"]
    return Table("Cold start: the first request of each kind", columns, rows, [note])
