"""`make up`: from the start of its process to the first answer."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from bench.plan import Plan
from bench.report import Table, verdict
from infra.local import LOOPBACK

GOAL = 1.5
"""Seconds."""
PATIENCE = 120
ROOT = Path(__file__).resolve().parent.parent


def measure(plan: Plan) -> list[Table]:
    """With processes, and with whatever engine it finds."""
    rows = []
    for engine in ("process", "auto"):
        found = [_start(engine) for _ in range(plan.starts)]
        wall, cpu, memory = (statistics.median(one) for one in zip(*found, strict=True))
        least = min(one[0] for one in found)
        rows.append(
            [
                *(f"`ENGINE={engine}`", f"{wall:.2f} s", f"{least:.2f} s", f"{cpu:.2f} s"),
                *(f"{memory:.0f}", f"≤ {GOAL} s: {verdict(wall, GOAL)}"),
            ]
        )
    columns = ["", "median", "least", "CPU", "MiB", "goal"]
    notes = [f"Of {plan.starts} starts, from the process to the first 200 of `GET /health`."]
    return [Table("Start of the local stack", columns, rows, notes)]


def _start(engine: str) -> tuple[float, float, float]:
    """Seconds, seconds of CPU, and MiB at the first answer."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local", "--port", str(port), "--engine", engine],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while not _answers(port):
                assert process.poll() is None, f"the stack ended with {process.returncode}"
                assert time.perf_counter() - began < PATIENCE, "the stack did not answer"
                time.sleep(0.005)
            took = time.perf_counter() - began
            seen = psutil.Process(process.pid)
            cpu = seen.cpu_times()
            return took, cpu.user + cpu.system, seen.memory_info().rss / 2**20
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/health", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
