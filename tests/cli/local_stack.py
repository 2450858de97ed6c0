"""Starts a local stack as a separate process, and runs the command as a person types it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobyard.client import Client

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds; the limit is reached only if something hangs."""
COMMAND = (sys.executable, "-m", "jobyard")


@contextmanager
def started(directory: Path) -> Iterator[dict[str, str]]:
    """Run `make up` with processes in `directory`, and yield the variables of its `.local/env`."""
    shell = {"PATH": os.environ["PATH"], "HOME": str(directory), "PYTHONPATH": str(ROOT)}
    with (directory / "out").open("w") as out, (directory / "err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local", "--port", "0", "--engine", "process"],
            cwd=directory,
            env=shell,
            stdout=out,
            stderr=err,
        )
    try:
        env = directory / ".local/env"
        wait_for(lambda: env.exists() or process.poll() is not None, "the stack is up")
        assert process.poll() is None, (directory / "err").read_text()
        yield read_env(env)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def read_env(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (shlex.split(line.removeprefix("export "))[0].partition("=") for line in lines)
    return {name: value for name, _, value in pairs if name.startswith("JOBYARD_")}


def wait_for(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    """Wait until the condition holds, and fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


@dataclass
class Shell:
    """The shell of somebody who uses one project; each call of it runs one command."""

    directory: Path
    settings: Mapping[str, str]
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Of the tester's own environment it has only PATH."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "PYTHONPATH": str(ROOT),
            "PYTHONUTF8": "1",
            "NO_PROXY": "*",
            **self.settings,
            **self.extra,
        }

    def __call__(
        self, *arguments: str, status: int | None = 0, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; `status` is the required exit status, None allows any."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            **({"stdin": subprocess.DEVNULL} | options if "input" not in options else options),
        )
        assert status is None or done.returncode == status, f"{done}"
        return done

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command without waiting for its end."""
        pipes: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.directory,
            env=self.environment,
            text=True,
            **(pipes | options),
        )

    def json(self, *arguments: str) -> Any:
        """Run a command with `-o json`, and return what it prints."""
        return json.loads(self(*arguments, "-o", "json").stdout)

    def create(self, name: str, script: str, *options: str) -> None:
        """Create a job that runs a shell script."""
        self("create", name, "--image", "any", *options, "--", "sh", "-c", script)

    def client(self) -> Client:
        here = self.settings
        return Client(
            here["JOBYARD_URL"],
            here["JOBYARD_TOKEN"],
            workspace=here["JOBYARD_WORKSPACE"],
            project=here["JOBYARD_PROJECT"],
        )
