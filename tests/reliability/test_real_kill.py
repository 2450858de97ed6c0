"""
Real processes, really killed: the local stack, 50 runs, and what is done to them from outside.

The stack is a process of its own, used over HTTP alone; its tasks are processes of this machine.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.local.local_yard import wait_for

ROOT = Path(__file__).parents[2]
PATIENCE = 180
"""Seconds after which a wait is given up; it takes a fraction of that."""

FAILS_FIRST = 'test "$JOBYARD_ATTEMPT" != 1'
HANGS_FIRST = 'test "$JOBYARD_ATTEMPT" != 1 || exec sleep 600'


class Client:
    """Of the stack's HTTP API."""

    def __init__(self, url: str, token: str) -> None:
        self._base = f"{url}/workspaces/local/projects/kill"
        self._token = token

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's `data`; urllib.error.HTTPError where it is no success."""
        request = urllib.request.Request(
            f"{self._base}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["data"]

    def create(self, name: str, command: list[str], retries: int) -> str:
        spec = {"name": name, "image": "busybox", "command": command, "max_retries": retries}
        return str(self.call("POST", "/jobs", spec)["id"])

    def runs(self, job: str) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/jobs/{job}/runs")["runs"])

    def counts(self, job: str) -> dict[str, int]:
        counts = self.call("GET", f"/jobs/{job}/status")["run_counts"]
        return {name: number for name, number in counts.items() if number}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[tuple[Client, psutil.Process]]:
    """A local stack on a free port, and the process that it is."""
    arguments = ["-m", "infra.local", "--port", "0", "--engine", "process", "--cap", "50"]
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
        )
    env = tmp_path / ".local" / "env"
    try:
        wait_for(lambda: env.exists() or process.poll() is not None, "the stack is up", PATIENCE)
        assert process.poll() is None, (tmp_path / "output").read_text()
        given = dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$", env.read_text(), re.MULTILINE))
        client = Client(given["JOBYARD_URL"], given["JOBYARD_TOKEN"])
        yield client, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def processes(stack: psutil.Process) -> dict[str, psutil.Process]:
    """The process of each run that has one, by the run's id."""
    found = {}
    for child in stack.children(recursive=True):
        try:
            run = child.environ().get("JOBYARD_RUN_ID")
            if run is not None and child.name() == "sleep":
                found[run] = child
        except psutil.Error:
            continue  # it has just ended
    return found


def test_50_runs_that_are_cancelled_and_killed_end_with_the_right_verdicts(
    stack: tuple[Client, psutil.Process],
) -> None:
    """15 fail first, 10 end well, 10 are killed once, 8 are cancelled, 7 killed for good."""
    client, process = stack
    jobs = {
        "fails first": client.create("fails-first", ["sh", "-c", FAILS_FIRST], 1),
        "ends well": client.create("ends-well", ["sleep", "2"], 0),
        "killed once": client.create("killed-once", ["sh", "-c", HANGS_FIRST], 1),
        "hangs": client.create("hangs", ["sleep", "600"], 0),
    }
    numbers = {"fails first": 15, "ends well": 10, "killed once": 10, "hangs": 15}
    wanted = [jobs[name] for name, number in numbers.items() for _ in range(number)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda job: client.call("POST", f"/jobs/{job}/runs"), wanted))
    assert len({run["id"] for run in made}) == 50
    hanging = [run["id"] for run in made if run["job_id"] == jobs["hangs"]]
    once = [run["id"] for run in made if run["job_id"] == jobs["killed once"]]

    def all_hang() -> bool:
        return {*hanging, *once} <= set(processes(process))

    wait_for(all_hang, "all that hang have begun to", PATIENCE)
    running = processes(process)
    for number, run in enumerate([*once, *hanging[8:]]):
        running[run].send_signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
    for run in hanging[:8]:
        client.call("POST", f"/jobs/{jobs['hangs']}/runs/{run}/cancel")
    killed = {run: 137 if n % 2 else 143 for n, run in enumerate([*once, *hanging[8:]])}

    def all_are_over() -> bool:
        return not any(
            count in client.counts(job) for job in jobs.values() for count in ("pending", "running")
        )

    wait_for(all_are_over, "every run is over", PATIENCE)
    wait_for(lambda: not processes(process), "no process is left", PATIENCE)
    assert {name: client.counts(job) for name, job in jobs.items()} == {
        "fails first": {"succeeded": 15, "total": 15},
        "ends well": {"succeeded": 10, "total": 10},
        "killed once": {"succeeded": 10, "total": 10},
        "hangs": {"cancelled": 8, "failed": 7, "total": 15},
    }
    for run in client.runs(jobs["fails first"]):
        assert [attempt["exit_code"] for attempt in run["attempts"]] == [1, 0]
    for run in client.runs(jobs["killed once"]):
        assert [attempt["exit_code"] for attempt in run["attempts"]] == [killed[run["id"]], 0]
    for run in client.runs(jobs["hangs"]):
        is_cancelled = run["id"] in hanging[:8]
        assert run["status"] == ("cancelled" if is_cancelled else "failed")
        assert run["error"]["code"] == ("cancelled_by_user" if is_cancelled else "nonzero_exit")
        assert run["exit_code"] == (143 if is_cancelled else killed[run["id"]])
