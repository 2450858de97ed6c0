"""Starts `make up` for a test in a process and directory of its own, and calls its API."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.local.local_yard import wait_for

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds; the limit is reached only if the stack hangs."""


class Started:
    """A local stack in its own directory, started from a shell that is set up for the real AWS."""

    def __init__(self, directory: Path, *options: str, **environment: str) -> None:
        shell = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "PYTHONPATH": str(ROOT),
            "AWS_PROFILE": "production",
            "AWS_ENDPOINT_URL_ECS": "https://ecs.example.com",
            "HTTP_PROXY": "http://proxy.example.com:3128",
            **environment,
        }
        self._out, self._err = directory / "out", directory / "err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local", *options],
                cwd=directory,
                env=shell,
                stdout=out,
                stderr=err,
            )

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")

    def until_up(self) -> Started:
        wait_for(lambda: "curl" in self.out or self.process.poll() is not None, "up", PATIENCE)
        assert self.process.poll() is None, self.err
        return self

    def end(self, number: signal.Signals | None = signal.SIGTERM) -> int:
        """Send the signal, if one is given, wait for the end, and return the exit code."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class Client:
    """A client of the API with the settings of .local/env."""

    def __init__(self, directory: Path) -> None:
        lines = (directory / ".local/env").read_text(encoding="utf-8").splitlines()
        pairs = (shlex.split(line.removeprefix("export "))[0].partition("=") for line in lines)
        self.env = {name: value for name, _, value in pairs}
        self.base = f"{self.env['JOBYARD_URL']}/workspaces/local/projects/p"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.env['JOBYARD_TOKEN']}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["data"]

    def job(self, *command: str, **spec: Any) -> str:
        body = {"name": f"job-{time.time_ns()}", "image": "any", "command": list(command), **spec}
        return f"/jobs/{self.call('POST', '/jobs', body)['id']}"

    def finish(self, job: str) -> dict[str, Any]:
        run = self.call("POST", f"{job}/runs")
        return self.until(f"{job}/runs/{run['id']}", "finished_at")

    def until(self, run: str, field: str) -> dict[str, Any]:
        wait_for(lambda: self.call("GET", run)[field], f"{field} of {run}", PATIENCE)
        return dict(self.call("GET", run))
