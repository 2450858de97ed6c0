"""`jobyard` against the deployed stage: each command that shows or changes something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.package import ROOT
from tests.deploy.e2e.conftest import Stage
from tests.deploy.e2e.emulator import IMAGE

MANIFEST = f"""
version: 1
jobs:
  - name: cli
    image: {IMAGE}
    command: [sh, -c, "echo one; sleep 2; echo two; exit 3"]
    schedule: "0 3 1 1 *"
"""


class Shell:
    """The shell of a user of a project of its own, with nothing set but where the API is."""

    def __init__(self, stage: Stage, directory: Path) -> None:
        self.directory = directory
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "PYTHONPATH": str(ROOT),
            "JOBYARD_URL": stage.url,
            "JOBYARD_TOKEN": stage.token,
            "JOBYARD_WORKSPACE": "acme",
            "JOBYARD_PROJECT": "command-line",
        }

    def __call__(self, *words: str, status: int = 0) -> str:
        """What the command writes to stdout; it must end with `status`."""
        done = subprocess.run(
            [sys.executable, "-m", "jobyard", *words],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, done
        return done.stdout


@pytest.fixture
def shell(stage: Stage, tmp_path: Path) -> Shell:
    return Shell(stage, tmp_path)


def test_every_command_works_on_the_deployed_stage(shell: Shell) -> None:
    """But for metrics, of which the emulator has none: from a manifest to the job's deletion."""
    (shell.directory / "jobs.yaml").write_text(MANIFEST)
    assert "next fires: " in shell("plan", "--detailed-exitcode", status=2)
    shell("apply", "--yes")
    shell("plan", "--detailed-exitcode")
    dumped = shell("dump")
    assert dumped.startswith("# yaml-language-server: $schema=") and "- name: cli" in dumped

    assert shell("run", "cli", "--follow", "--timeout", "100s", status=3) == "one\ntwo\n"
    shell("run", "cli", "--wait", "--timeout", "100s", "--", "true")
    runs = json.loads(shell("runs", "-o", "json"))["runs"]
    assert [run["status"] for run in runs] == ["succeeded", "failed"]
    assert shell("runs", "cli", "--status", "failed", "-o", "name") == f"{runs[1]['id']}\n"
    assert "exit code  3" in shell("show", runs[1]["id"])
    assert shell("logs", runs[1]["id"]) == "one\ntwo\n"
    assert " | two\n" in shell("logs", "cli")
    # the emulator finds no latest run: it counts records that an index lacks towards its limit
    assert "0 3 1 1 *" in shell("jobs") and "1 succeeded, 1 failed" in shell("status", "cli")
    assert "1 succeeded, 1 failed" in shell("status")
    shell("upcoming", "--until", "7d")

    started = shell("run", "cli", "-o", "name", "--", "sleep", "600").strip()
    shell("cancel", started)
    shell("cancel", started, status=1)
    shell("pause", "cli")
    assert json.loads(shell("get", "cli", "-o", "json"))["paused"] is True
    shell("resume", "cli")
    shell("update", "cli", "--schedule", "0 4 1 1 *")
    assert f"{shell.environment['JOBYARD_URL']}/console#/" in shell("open", "cli", "--print")
    shell("create", "other", "--image", IMAGE)
    for name in ("cli", "other"):
        shell("delete", name, "--yes")
    assert shell("jobs", "-o", "name") == ""
