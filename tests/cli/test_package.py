"""The wheel: what it contains, and that it works in a fresh environment."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.cli.local_stack import ROOT, Shell

SLOW = {"rich", "yaml", "urllib3", "platformdirs", "ssl", "http.client", "tomllib", "mcp"}
"""Each takes longer to import than the command's own modules."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as pip does from a checkout."""
    out = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(ROOT))
    (made,) = out.glob("jobyard-*.whl")
    return made


def pip(*arguments: str, python: str = sys.executable) -> None:
    words = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(words, check=True, cwd=ROOT)


def test_the_wheel_contains_only_the_client(wheel: Path) -> None:
    """The wheel has no part of the system, and no dependency on AWS's libraries."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
        (info,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        needs = [
            line.removeprefix("Requires-Dist: ")
            for line in archive.read(info).decode().splitlines()
            if line.startswith("Requires-Dist: ")
        ]
        assert "jobyard/py.typed" in archive.namelist()
    assert {top for top in tops if not top.endswith(".dist-info")} == {"jobyard"}
    names = {need.partition(">")[0].partition("<")[0].partition(";")[0].strip() for need in needs}
    assert names == {"certifi", "click", "mcp", "platformdirs", "pyyaml", "rich", "urllib3"}


def test_the_wheel_works_in_a_fresh_environment(wheel: Path, shell: Shell, tmp_path: Path) -> None:
    """
    It works with its dependencies alone; without the extra, `jobyard mcp` says what to install.
    """
    place = tmp_path / "venv"
    venv.create(place, with_pip=True)
    python = place / "bin/python"
    pip("install", "--constraint", "constraints.txt", str(wheel), python=str(python))
    environment = {n: v for n, v in shell.environment.items() if n != "PYTHONPATH"}

    def jobyard(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [place / "bin/jobyard", *arguments],
            env=environment,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    listed = subprocess.run(
        [python, "-c", "import importlib.util as u; print(u.find_spec('boto3'))"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert listed.stdout == "None\n"
    assert jobyard("--version").stdout.startswith("jobyard ")
    assert jobyard("create", "hello", "--image", "any", "--", "echo", "hi").returncode == 0
    done = jobyard("run", "hello", "--follow")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "hi"), done
    assert "hello" in jobyard("jobs").stdout
    assert "- name: hello" in jobyard("dump").stdout
    refused = jobyard("mcp")
    assert (refused.returncode, "jobyard[mcp]" in refused.stderr) == (1, True)


def test_the_help_imports_nothing_slow() -> None:
    """
    This keeps `jobyard --help` under 150 ms of CPU time, which `python -m bench cli` measures.
    """
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "jobyard", "--help"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in listed.stderr.splitlines()}
    assert {"click", "jobyard.cli"} <= imported
    assert imported & SLOW == set()
    commands = {name for name in imported if name.startswith("jobyard.cli.")}
    assert commands <= {"jobyard.cli.session"}, "a command's module is imported when it is used"
