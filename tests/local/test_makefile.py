"""What `make` prints where something is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile and requirements of a clean checkout, with nothing installed."""
    for name in ("Makefile", "pyproject.toml", *(path.name for path in ROOT.glob("*.txt"))):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def python(directory: Path, script: str) -> str:
    """A stand-in for a Python that is too old, or that lacks a module."""
    path = directory / "python"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def said(checkout: Path, python: str) -> list[str]:
    """The lines that a failing `make up` prints to standard error, without make's own last line."""
    process = subprocess.run(
        ["make", "up", f"PYTHON={python}"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode != 0
    assert not (checkout / ".venv").exists()
    return [line for line in process.stderr.splitlines() if not line.startswith("make")]


def test_a_python_that_is_too_old_is_one_line(checkout: Path) -> None:
    """The line says what to do about it."""
    old = python(checkout, "exit 1")
    assert said(checkout, old) == [
        f"Jobyard needs Python 3.11 or newer: {old} is not that. "
        "Name one: make PYTHON=/path/to/python3.13"
    ]


def test_a_missing_venv_module_is_one_line(checkout: Path) -> None:
    """Debian and Ubuntu package it separately."""
    script = f'case "$2" in *venv*) exit 1;; esac; exec {sys.executable} "$@"'
    bare = python(checkout, script)
    assert said(checkout, bare) == [
        f"{bare} lacks its venv module; on Debian and Ubuntu: apt-get install python3-venv"
    ]


def test_make_without_a_target_prints_the_help() -> None:
    """It is the first command that somebody types."""
    process = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("up", "demo", "test", "check"):
        assert f"make {target}" in process.stdout
