"""
Prefect's server and process worker on this machine, for as long as they are measured.

They have an environment of their own, in build/peers/: Prefect needs other versions of libraries
than Jobyard. What they store is in a directory that is gone afterwards.
"""

from __future__ import annotations

import copy
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from infra.local import CAP, LOOPBACK

VERSION = "3.9.1"
HOME = Path(__file__).resolve().parent.parent / "build" / "peers" / f"prefect-{VERSION}"
PROGRAM = HOME / "bin" / "prefect"
INSTALL_SECONDS = 300
START_SECONDS = 90
UNTIL_STDIN_ENDS = '"$@" & cat; kill -s KILL 0'
QUERY_SECONDS = "0.5"
"""Between two questions of the worker whether there is work: its default of 10 would be unfair."""
BUSY, TRIES = 503, 600
POOL = "bench"
FLOW = """\
import subprocess
from prefect import flow

@flow
def true():
    subprocess.run(["true"], check=True)
"""


class Missing(Exception):
    """It cannot be measured here; the text says why."""


class Prefect:
    """The API of a server, with one deployment of a flow that runs `true`."""

    def __init__(self, port: int, directory: Path) -> None:
        self._port, self._directory = port, str(directory)
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=120)
        self._flow = self.call("POST", "/flows/", {"name": "true"})["id"]
        self._deployment = self.create("true")

    @contextmanager
    def another(self) -> Iterator[Prefect]:
        """The same through a connection of its own."""
        made = copy.copy(self)
        made._connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=120)
        try:
            yield made
        finally:
            made._connection.close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """
        The answer's JSON; AssertionError for one that is no success.

        503, which its server answers while its database is busy, is tried again, as its own client
        does.
        """
        text = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        for _ in range(TRIES):
            try:
                self._connection.request(method, f"/api{path}", text, headers)
                answer = self._connection.getresponse()
                data = answer.read()
            except ConnectionError:
                # It closes a connection that was idle for 5 s, or that it answered 503.
                self._connection.close()
                continue
            if answer.status != BUSY:
                break
            time.sleep(0.2)
        assert answer.status < 300, f"{method} {path} answered {answer.status}: {data[:200]!r}"
        return json.loads(data)

    def create(self, name: str) -> str:
        """A deployment, which is to Prefect what a job is to Jobyard."""
        step = "prefect.deployments.steps.set_working_directory"
        request = {
            "name": name,
            "flow_id": self._flow,
            "work_pool_name": POOL,
            "entrypoint": "flow.py:true",
            "path": self._directory,
            "pull_steps": [{step: {"directory": self._directory}}],
        }
        return str(self.call("POST", "/deployments/", request)["id"])

    def trigger(self) -> str:
        path = f"/deployments/{self._deployment}/create_flow_run"
        return str(self.call("POST", path, {})["id"])

    def read(self, run: str) -> Any:
        return self.call("GET", f"/flow_runs/{run}")

    def page(self, limit: int) -> list[Any]:
        """The newest runs of the deployment."""
        deployments = {"id": {"any_": [self._deployment]}}
        request = {"limit": limit, "sort": "START_TIME_DESC", "deployments": deployments}
        return list(self.call("POST", "/flow_runs/filter", request))

    def has_finished(self, run: str) -> bool:
        state = self.read(run)["state"]["type"]
        assert state not in ("FAILED", "CRASHED", "CANCELLED"), state
        return bool(state == "COMPLETED")

    def finished(self) -> int:
        """How many runs of the deployment have completed."""
        request = {
            "deployments": {"id": {"any_": [self._deployment]}},
            "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
        }
        return int(self.call("POST", "/flow_runs/count", request))

    def add_finished(self, number: int) -> None:
        """Finished runs of the deployment, made without running anything."""
        request = {"flow_id": self._flow, "deployment_id": self._deployment}
        for _ in range(number):
            self.call("POST", "/flow_runs/", {**request, "state": {"type": "COMPLETED"}})


@contextmanager
def prefect() -> Iterator[Prefect]:
    """A server and a worker with CAP places; raises Missing."""
    _install()
    with ExitStack() as started, tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "flow.py").write_text(FLOW)
        port = _free_port()
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")},
            "PREFECT_HOME": str(directory / "home"),
            "PREFECT_API_URL": f"http://{LOOPBACK}:{port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            # Its default of 10 s makes it answer 503 to twenty triggers at once.
            "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
            "PREFECT_WORKER_QUERY_SECONDS": QUERY_SECONDS,
            "DO_NOT_TRACK": "1",
        }
        server = ["server", "start", "--host", LOOPBACK, "--port", str(port), "--no-ui"]
        worker = ["worker", "start", "--pool", POOL, "--type", "process", "--limit", str(CAP)]
        started.enter_context(_running(server, directory, environment))
        _until(lambda: _answers(port, "GET", "/api/health"), "its server answers")
        started.enter_context(_running(worker, directory, environment))
        _until(lambda: _answers(port, "GET", f"/api/work_pools/{POOL}"), "its worker has a pool")
        yield Prefect(port, directory)


def _install() -> None:
    if PROGRAM.exists():
        return
    commands = (
        [sys.executable, "-m", "venv", str(HOME)],
        [str(HOME / "bin" / "pip"), "install", "--quiet", f"prefect=={VERSION}"],
    )
    try:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        said = (getattr(error, "stderr", None) or b"").decode().strip().splitlines()
        raise Missing(f"Prefect cannot be installed: {said[-1] if said else error}") from error


@contextmanager
def _running(arguments: list[str], directory: Path, environment: dict[str, str]) -> Iterator[None]:
    """
    A command of Prefect in a session of its own, which is killed whole at the end.

    A shell waits for the end of its standard input, so that this also happens where the bench
    itself is killed.
    """
    with (directory / f"{arguments[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", UNTIL_STDIN_ENDS, "sh", str(PROGRAM), *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    with process:  # leaving closes its standard input and waits
        yield


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise Missing(f"Prefect did not start within {START_SECONDS} s: {what}")
        time.sleep(0.2)


def _answers(port: int, method: str, path: str) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    try:
        connection.request(method, path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
