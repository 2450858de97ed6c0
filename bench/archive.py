"""The deployment archive with this machine's wheels, unpacked, and Lambda's Python to start it."""

from __future__ import annotations

import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from infra import package
from infra.bytecode import Compiler, Missing, find_compiler
from infra.dependencies import HOST, LAMBDA, LAMBDA_HERE


@dataclass(frozen=True, slots=True)
class Unpacked:
    """One archive as a function finds it."""

    python: Path
    whole: Path
    """As it is packaged."""
    sources: Path
    """The same without bytecode."""
    size: int
    """Bytes of the archive."""
    note: str
    """Which Python it is."""


def unpack(directory: Path) -> Unpacked:
    """Package into `directory`, and unpack it twice."""
    compiler, note = _compiler()
    platform = LAMBDA_HERE if compiler.path != Path(sys.executable) else HOST
    made = package.build(directory / "package", platform, compiler)
    whole, sources = directory / "whole", directory / "sources"
    with zipfile.ZipFile(made.archive) as opened:
        opened.extractall(whole)
    shutil.copytree(whole, sources, ignore=shutil.ignore_patterns("__pycache__"))
    return Unpacked(compiler.path, whole, sources, made.archive.stat().st_size, note)


def _compiler() -> tuple[Compiler, str]:
    try:
        found = find_compiler(LAMBDA.python)
    except Missing:
        found = find_compiler(HOST.python)
        note = f"CPython {HOST.python}, because {LAMBDA.python}, which Lambda runs, is not here."
        return found, note
    return found, f"CPython {found.version.split()[0]}; Lambda runs {LAMBDA.python}."
