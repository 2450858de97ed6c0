"""
`make bench`: every part in a process of its own, one after the other, and the tables.

    python -m bench [--write] [part ...]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench.plan import FULL, LARGE
from bench.report import Table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- make bench ARGS=--write -->", "<!-- end of what it writes -->"
PARTS = ("cold", "warm", "cli", "scale", "start", "end_to_end", "throughput")
PEERS = "peers"
"""A part that is measured only where it is named: it installs another product."""
BEGIN_PEERS = "<!-- make bench ARGS='peers --write' -->"
PATIENCE = 1_200
"""The longest time for one part, in seconds."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)} too")
    parser.add_argument("--large", action="store_true", help="scale with a million runs")
    parser.add_argument("--alone", choices=(*PARTS, PEERS), help=argparse.SUPPRESS)
    parser.add_argument("parts", nargs="*", help=", ".join((*PARTS, PEERS)))
    options = parser.parse_args()
    if options.alone:
        return _alone(options.alone, is_large=options.large)
    if unknown := set(options.parts) - {*PARTS, PEERS}:
        parser.error(f"no part: {', '.join(sorted(unknown))}")
    parts = options.parts or list(PARTS)
    for begin, own in (
        (BEGIN, [part for part in parts if part != PEERS]),
        (BEGIN_PEERS, [part for part in parts if part == PEERS]),
    ):
        if own:
            text = _measured(own, is_large=options.large)
            print(text)
            if options.write:
                _write(begin, text)
    if options.write and PEERS in parts:
        _write_plots()
    return 0


def _measured(parts: list[str], *, is_large: bool) -> str:
    began = time.monotonic()
    text = f"{_machine()}\n\n" + "\n".join(_part(part, is_large=is_large) for part in parts)
    return f"{text}\nAll of it took {time.monotonic() - began:.0f} s.\n"


def _alone(part: str, *, is_large: bool) -> int:
    """Measure one part in this process, and print its tables as JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the product's log
    tables = importlib.import_module(f"bench.{part}").measure(LARGE if is_large else FULL)
    answers.write(json.dumps([asdict(table) for table in tables]))
    answers.close()
    return 0


def _part(part: str, *, is_large: bool) -> str:
    began = time.monotonic()
    print(f"measuring: {part} …", file=sys.stderr, end=" ", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--alone", part, *(["--large"] if is_large else [])],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=PATIENCE * (6 if is_large else 1),
        check=True,
    )
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return "\n".join(Table(**table).markdown() for table in json.loads(done.stdout))


def _machine() -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores ({_processor()}), "
        f"{platform.system()} {platform.release().split('-')[0]}, "
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f} when it began."
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _write(begin: str, text: str) -> None:
    page = PAGE.read_text()
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{begin}\n\n{text}\n{END}{tail}")


def _write_plots() -> None:
    from bench.peers import PLOTS

    for file in sorted(PLOTS.glob("*.svg")):
        (PAGE.parent / "plots" / file.name).write_text(file.read_text())


if __name__ == "__main__":
    sys.exit(main())
