"""
Real processes and containers of a local stack are killed from outside.

The stack is a separate process that is used through HTTP only; its tasks are processes of this
machine, or containers of the engine that answers.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.local.engines.choice import choose
from infra.local.engines.docker import TASK_LABEL, DockerEngine
from tests.local.local_yard import wait_for

ROOT = Path(__file__).parents[2]
PATIENCE = 180
"""The longest time to wait, in seconds; waiting takes a fraction of it."""

FAILS_FIRST = 'test "$JOBYARD_ATTEMPT" != 1'
HANGS_FIRST = 'test "$JOBYARD_ATTEMPT" != 1 || exec sleep 600'


class Client:
    """A client of the stack's HTTP API."""

    def __init__(self, url: str, token: str) -> None:
        self._base = f"{url}/workspaces/local/projects/kill"
        self._token = token

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's `data`; urllib.error.HTTPError unless the request succeeds."""
        request = urllib.request.Request(
            f"{self._base}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["data"]

    def create(self, name: str, image: str, command: list[str], retries: int) -> str:
        spec = {"name": name, "image": image, "command": command, "max_retries": retries}
        return str(self.call("POST", "/jobs", spec)["id"])

    def runs(self, job: str) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/jobs/{job}/runs")["runs"])

    def counts(self, job: str) -> dict[str, int]:
        counts = self.call("GET", f"/jobs/{job}/status")["run_counts"]
        return {name: number for name, number in counts.items() if number}


Kill = Callable[[signal.Signals], None]


@dataclass(frozen=True)
class Stack:
    """A running local stack, and how to kill its tasks."""

    client: Client
    image: str
    running: Callable[[], dict[str, Kill]]
    """By the run's id, a function that kills the run's task."""


@contextmanager
def started(directory: Path, engine: str) -> Iterator[tuple[Client, psutil.Process]]:
    """Start a local stack on a free port, and yield a client and the stack's process."""
    arguments = ["-m", "infra.local", "--port", "0", "--engine", engine, "--cap", "50"]
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
        )
    env = directory / ".local" / "env"
    try:
        wait_for(lambda: env.exists() or process.poll() is not None, "the stack is up", PATIENCE)
        assert process.poll() is None, (directory / "output").read_text()
        given = dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$", env.read_text(), re.MULTILINE))
        client = Client(given["JOBYARD_URL"], given["JOBYARD_TOKEN"])
        yield client, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
def on_processes(tmp_path: Path) -> Iterator[Stack]:
    with started(tmp_path, "process") as (client, process):
        yield Stack(client, "busybox", lambda: sleepers(process))


def sleepers(stack: psutil.Process) -> dict[str, Kill]:
    """The tasks that hang: their shell has become `sleep`."""
    found: dict[str, Kill] = {}
    for child in stack.children(recursive=True):
        try:
            run = child.environ().get("JOBYARD_RUN_ID")
            if run is not None and child.name() == "sleep":
                found[run] = child.send_signal
        except psutil.Error:
            continue  # it has just ended
    return found


@pytest.fixture
def on_containers(tmp_path: Path, container_image: str) -> Iterator[Stack]:
    engine = choose("docker", {})
    assert isinstance(engine, DockerEngine)
    with started(tmp_path, "docker") as (client, _):
        yield Stack(client, container_image, lambda: containers(engine))
    engine.close()


def containers(engine: DockerEngine) -> dict[str, Kill]:
    found: dict[str, Kill] = {}
    for container in engine.client.containers.list(
        filters={"label": TASK_LABEL, "status": "running"}, ignore_removed=True
    ):
        env = dict(each.partition("=")[::2] for each in container.attrs["Config"]["Env"])
        if "JOBYARD_RUN_ID" in env:
            found[env["JOBYARD_RUN_ID"]] = container.kill
    return found


def test_50_runs_that_are_cancelled_and_killed_end_with_the_right_verdicts(
    on_processes: Stack,
) -> None:
    """
    15 fail first, 10 end well, 10 are killed once, 8 are cancelled, and 7 are killed for good.
    """
    numbers = {"fails first": 15, "ends well": 10, "killed once": 10, "hangs": 15}
    signals = [signal.SIGTERM, signal.SIGKILL]
    end_as_they_should(on_processes, numbers, cancelled=8, signals=signals)


def test_containers_that_are_cancelled_and_killed_end_with_the_right_verdicts(
    on_containers: Stack,
) -> None:
    """
    The same with fewer runs in containers; without an init process they react only to SIGKILL.
    """
    numbers = {"fails first": 3, "ends well": 2, "killed once": 3, "hangs": 4}
    end_as_they_should(on_containers, numbers, cancelled=2, signals=[signal.SIGKILL])


def end_as_they_should(
    stack: Stack, numbers: dict[str, int], *, cancelled: int, signals: list[signal.Signals]
) -> None:
    client, image = stack.client, stack.image
    jobs = {
        "fails first": client.create("fails-first", image, ["sh", "-c", FAILS_FIRST], 1),
        "ends well": client.create("ends-well", image, ["sleep", "2"], 0),
        "killed once": client.create("killed-once", image, ["sh", "-c", HANGS_FIRST], 1),
        "hangs": client.create("hangs", image, ["sleep", "600"], 0),
    }
    wanted = [jobs[name] for name, number in numbers.items() for _ in range(number)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda job: client.call("POST", f"/jobs/{job}/runs"), wanted))
    ids = {run["id"] for run in made}
    assert len(ids) == sum(numbers.values())
    hanging = [run["id"] for run in made if run["job_id"] == jobs["hangs"]]
    once = [run["id"] for run in made if run["job_id"] == jobs["killed once"]]

    def all_hang() -> bool:
        return {*hanging, *once} <= set(stack.running())

    wait_for(all_hang, "all that hang have begun to", PATIENCE)
    running = stack.running()
    killed: dict[str, int] = {}
    for number, run in enumerate([*once, *hanging[cancelled:]]):
        sent = signals[number % len(signals)]
        running[run](sent)
        killed[run] = 128 + sent
    for run in hanging[:cancelled]:
        client.call("POST", f"/jobs/{jobs['hangs']}/runs/{run}/cancel")

    def all_are_over() -> bool:
        return not any(
            count in client.counts(job) for job in jobs.values() for count in ("pending", "running")
        )

    wait_for(all_are_over, "every run is over", PATIENCE)
    wait_for(lambda: ids.isdisjoint(stack.running()), "no task is left", PATIENCE)
    assert {name: client.counts(job) for name, job in jobs.items()} == {
        **{
            name: {"succeeded": numbers[name], "total": numbers[name]}
            for name in ("fails first", "ends well", "killed once")
        },
        "hangs": {
            "cancelled": cancelled,
            "failed": numbers["hangs"] - cancelled,
            "total": numbers["hangs"],
        },
    }
    for run in client.runs(jobs["fails first"]):
        assert [attempt["exit_code"] for attempt in run["attempts"]] == [1, 0]
    for run in client.runs(jobs["killed once"]):
        assert [attempt["exit_code"] for attempt in run["attempts"]] == [killed[run["id"]], 0]
    for run in client.runs(jobs["hangs"]):
        is_cancelled = run["id"] in hanging[:cancelled]
        assert run["status"] == ("cancelled" if is_cancelled else "failed")
        assert run["error"]["code"] == ("cancelled_by_user" if is_cancelled else "nonzero_exit")
        if is_cancelled:
            assert run["exit_code"] in (143, 137)
        else:
            assert run["exit_code"] == killed[run["id"]]
