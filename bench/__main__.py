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
PARTS = ("cold", "warm", "cli", "scale", "end_to_end", "throughput")
PATIENCE = 600
"""The longest time for one part, in seconds."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)} too")
    parser.add_argument("--large", action="store_true", help="scale with a million runs")
    parser.add_argument("--alone", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS))
    options = parser.parse_args()
    if options.alone:
        return _alone(options.alone, is_large=options.large)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part: {', '.join(sorted(unknown))}")
    began = time.monotonic()
    text = f"{_machine()}\n\n" + "\n".join(
        _part(part, is_large=options.large) for part in options.parts or PARTS
    )
    text += f"\nAll of it took {time.monotonic() - began:.0f} s.\n"
    print(text)
    if options.write:
        _write(text)
    return 0


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


def _write(text: str) -> None:
    page = PAGE.read_text()
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n{END}{tail}")


if __name__ == "__main__":
    sys.exit(main())
