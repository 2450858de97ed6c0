"""Bytecode in the archive: whose it is, and what happens where it cannot be made."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra import package
from infra.bytecode import DEPLOYED, Compiler, Missing, add, find_compiler
from infra.dependencies import HOST, LAMBDA, ROOT

UNCHECKED = b"\x01\x00\x00\x00"
"""The flags of a pyc that is hash-based and not compared with its source (PEP 552)."""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any other Python; its PATH is the folder, which is empty."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


def python(path: Path, answer: str) -> Path:
    """An executable at `path` that answers as an interpreter of that version does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {answer}\n")
    path.chmod(0o755)
    return path


def test_every_module_has_bytecode_of_lambda_s_python(packaged: package.Package) -> None:
    """None is left for a cold start to compile, and none is compared with its source."""
    try:
        find_compiler(LAMBDA.python)
    except Missing as missing:
        if os.environ.get("JOBYARD_TEST_PYTHON") == "required":
            raise
        pytest.skip(str(missing))
    with zipfile.ZipFile(packaged.archive) as opened:
        names = set(opened.namelist())
        sources = [name for name in names if name.endswith(".py")]
        assert len(sources) > 300
        magic = set()
        for source in sources:
            folder, _, name = source.rpartition("/")
            compiled = f"{folder}/__pycache__/{name[:-3]}.cpython-313.pyc".lstrip("/")
            header = opened.read(compiled)[:8]
            assert header[4:] == UNCHECKED, compiled
            magic.add(header[:4])
    assert len(magic) == 1


def test_bytecode_does_not_depend_on_the_folder_that_it_was_made_in(tmp_path: Path) -> None:
    """It names the file where Lambda unpacks it, so two machines make the same bytes."""
    made = []
    for folder in (tmp_path / "one", tmp_path / "a-longer-name"):
        folder.mkdir()
        (folder / "module.py").write_text("def f():\n    raise ValueError\n")
        add(folder, ["module.py"], find_compiler(HOST.python))
        (compiled,) = (folder / "__pycache__").iterdir()
        made.append(compiled.read_bytes())
    assert made[0] == made[1]
    assert f"{DEPLOYED}/module.py".encode() in made[0]


def test_a_module_that_does_not_compile_stops_the_packaging(tmp_path: Path) -> None:
    """Rather than that a function fails at its first import."""
    (tmp_path / "wrong.py").write_text("def")
    with pytest.raises(subprocess.CalledProcessError):
        add(tmp_path, ["wrong.py"], find_compiler(HOST.python))


def test_this_python_compiles_if_it_is_the_right_one(bare: Path) -> None:
    """Nothing else has to be installed then."""
    found = find_compiler(HOST.python)
    assert (found.path, found.version) == (Path(sys.executable), sys.version)


@pytest.mark.parametrize(
    "place", ["python9.9", "pyenv/versions/9.9.1/bin/python"], ids=["PATH", "pyenv"]
)
def test_the_right_python_is_found_where_it_usually_is(bare: Path, place: str) -> None:
    """On the PATH, and among pyenv's, which shows only the chosen one on the PATH."""
    path = python(bare / place, "cpython 9.9 final 9.9.1")
    assert find_compiler("9.9") == Compiler(path, "9.9.1")


def test_uv_is_asked_for_its_own(bare: Path) -> None:
    """It keeps interpreters that are on no PATH."""
    path = python(bare / "uv-s" / "python", "cpython 9.9 final 9.9.2")
    python(bare / "uv", str(path))
    assert find_compiler("9.9") == Compiler(path, "9.9.2")


@pytest.mark.parametrize(
    "answer",
    ["cpython 9.8 final 9.8.1", "pypy 9.9 final 9.9", "cpython 9.9 candidate 9.9.0rc1", ""],
)
def test_no_other_python_compiles(bare: Path, answer: str) -> None:
    """Lambda's would ignore the bytecode of another version, and compile after all."""
    path = python(bare / "python9.9", answer)
    with pytest.raises(Missing):
        find_compiler("9.9")
    with pytest.raises(Missing, match=r"is not CPython 9\.9"):
        find_compiler("9.9", str(path))


def test_without_the_right_python_packaging_says_what_is_lost_and_stops(bare: Path) -> None:
    """Whoever deploys decides, and not the machine that happens to package."""
    with pytest.raises(Missing) as missing:
        find_compiler("9.9")
    text = str(missing.value)
    for part in ("twice the CPU time", "uv python install 9.9", "RUNTIME_PYTHON=", "BYTECODE=no"):
        assert part in text


def test_packaging_goes_on_without_bytecode_when_told_to(bare: Path) -> None:
    """`BYTECODE=no` says so; a named Python that is none stops it before anything is made."""
    for option, code, printed in (
        ("--bytecode=no", "print(package.compiler(parser.parse_args()))", "None"),
        ("--runtime-python=/bin/sh", "package.main()", "/bin/sh is not CPython"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", OPTIONS + code, option], cwd=ROOT, capture_output=True, text=True
        )
        assert printed in done.stdout + done.stderr
        assert (done.returncode == 0) == (option == "--bytecode=no")


OPTIONS = """
import argparse
from infra import package
parser = argparse.ArgumentParser()
package.add_options(parser)
"""
