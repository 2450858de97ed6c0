"""The recording that these tests read; it is made once, for any number of pytest workers."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.package import ROOT
from tests.deploy.permissions.calls import Needed
from tests.deploy.permissions.recorder import Call


@dataclass(frozen=True)
class Recording:
    """What a recorder has stored."""

    calls: list[Call]
    routes: set[tuple[str, str]]
    outside: set[str]

    @property
    def needed(self) -> list[tuple[str, Needed]]:
        return [(call.function, call.needed) for call in self.calls]


def read(path: Path) -> Recording:
    kept = json.loads(path.read_text())
    return Recording(
        [
            Call(
                call["function"],
                Needed(
                    call["needed"]["action"],
                    call["needed"]["arn"],
                    tuple((key, value) for key, value in call["needed"]["context"]),
                ),
                call["operation"],
            )
            for call in kept["calls"]
        ],
        {(method, path) for method, path in kept["routes"]},
        set(kept["outside"]),
    )


def record(path: Path, *options: str) -> None:
    """Record in a separate process, because the recorder needs other settings than the tests."""
    command = [sys.executable, "-m", "tests.deploy.permissions", "--record", str(path), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-5_000:]


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """
    The recording takes half a minute: the first worker makes it, the others wait for its file.
    """
    mine = tmp_path_factory.getbasetemp()
    shared = mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine
    path = shared / "permissions-recorded.json"
    with (shared / "permissions-recorded.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            whole = path.with_suffix(".part")
            record(whole)
            whole.rename(path)
    return read(path)
