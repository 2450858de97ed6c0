"""Cold start: what a fresh interpreter spends on imports and on its first request."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.plan import Plan
from bench.record import Recorded, record
from bench.report import Table, verdict
from bench.system import variables

ROOT = Path(__file__).resolve().parent.parent
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
    """The imports, and the first request of each kind as installed and as packaged."""
    recorded = record(plan.page)[: plan.kinds]
    with tempfile.TemporaryDirectory() as directory:
        return [_imports(plan), _first(plan, recorded, Path(directory))]


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


def play(recorded: Recorded, tape: Path, times: int, more: Mapping[str, str]) -> dict[str, object]:
    """Play the call in a fresh interpreter with bench/play.py, and return its figures."""
    tape.write_text(recorded.json())
    path = os.pathsep.join(filter(None, (more.get("PYTHONPATH"), str(ROOT))))
    done = subprocess.run(
        [sys.executable, "-m", "bench.play", str(tape), str(times)],
        cwd=tape.parent,
        env={**variables(), **more, "PYTHONPATH": path},
        check=True,
        stdout=subprocess.PIPE,
    )
    return dict(json.loads(done.stdout))


def _first(plan: Plan, recorded: Sequence[Recorded], directory: Path) -> Table:
    kinds: dict[str, dict[str, str]] = {"installed": {}, **_packaged(directory)}
    rows = []
    for request in recorded:
        row = [request.name]
        for variables_ in kinds.values():
            played = [
                play(request, directory / "tape.json", 0, variables_)
                for _ in range(max(1, plan.imports // 12))
            ]
            row += [f"{_least(played, 'import_ms'):.0f}", f"{_least(played, 'first_ms'):.0f}"]
            row.append(f"{_least(played, 'first_mib'):.0f}")
        rows.append(row)
    columns = ["first request"]
    for kind in kinds:
        columns += [f"{kind}: import, ms", "request, ms", "MiB"]
    note = (
        "CPU time, with AWS answered at once from a tape. `data cut`: botocore's data as "
        "infra/package.py leaves it. MiB: peak resident memory."
    )
    return Table("Cold start: the first request of each kind", columns, rows, [note])


def _least(played: list[dict[str, object]], name: str) -> float:
    return min(float(str(one[name])) for one in played)


def _packaged(directory: Path) -> dict[str, dict[str, str]]:
    """Environments in which botocore's data is cut as in the package."""
    import botocore

    from infra import package

    cut = directory / "cut"
    source = Path(botocore.__file__).parent
    shutil.copytree(source, cut / "botocore")
    package.trim(cut)
    return {"data cut": {"PYTHONPATH": str(cut)}}
