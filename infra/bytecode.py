"""
Bytecode for the archive, made by the Python that Lambda runs.

Lambda's code directory is read-only, so without bytecode in the archive every cold start compiles
all that it imports. Bytecode belongs to one minor version of Python, so it has to be made by that
version, which need not be the one that packages.

It is not compared with its source at each import ("unchecked hash-based pycs" in Python's
documentation of py_compile), so it contains no time stamp: archives repeat byte for byte, and a
cold start looks at no source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

DEPLOYED = "/var/task"
"""Where Lambda unpacks the archive: tracebacks name the files there."""
ASK = (
    "import sys; v = sys.version_info; "
    "print(sys.implementation.name, f'{v.major}.{v.minor}', v.releaselevel, sys.version)"
)


class Missing(Exception):
    """There is no such Python here; the message says what is lost, and what to do."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """An interpreter that compiles."""

    path: Path
    version: str
    """Its full version; another patch release may compile to other bytes."""

    def __repr__(self) -> str:
        return self.version  # the same interpreter at another place compiles to the same bytes


def find_compiler(minor: str, named: str | None = None) -> Compiler:
    """
    CPython `minor` ("3.13"): `named`, or where such interpreters usually are.

    Raises Missing; nothing is downloaded.
    """
    for path in (named,) if named else _candidates(minor):
        if (version := _version(path, minor)) is not None:
            return Compiler(Path(path), version)
    if named:
        raise Missing(f"{named} is not CPython {minor}, which Lambda runs the functions with")
    raise Missing(
        f"there is no CPython {minor} here to compile with, as Lambda runs the functions. Without "
        "bytecode a cold start takes more than twice the CPU time until its first answer "
        "(docs/benchmarks.md). Either\n"
        f"  - install it: `uv python install {minor}` (pip install uv), pyenv, or your system's "
        f"package; RUNTIME_PYTHON=/path/to/python{minor} names one in another place\n"
        "  - or go on without bytecode: BYTECODE=no"
    )


def _candidates(minor: str) -> Iterator[str]:
    """This interpreter, the PATH's, uv's, pyenv's."""
    yield sys.executable
    if found := shutil.which(f"python{minor}"):
        yield found
    if uv := shutil.which("uv"):
        answer = subprocess.run(
            [uv, "python", "find", "--no-project", minor], capture_output=True, text=True
        )
        if answer.returncode == 0:
            yield answer.stdout.strip()
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(str(path) for path in pyenv.glob(f"versions/{minor}.*/bin/python"))


def _version(path: str, minor: str) -> str | None:
    """Its version, if it is a CPython `minor` that runs, and no pre-release."""
    try:
        answer = subprocess.run([path, "-c", ASK], capture_output=True, text=True)
    except OSError:
        return None
    words = answer.stdout.split(maxsplit=3)
    return words[3].strip() if words[:3] == ["cpython", minor, "final"] else None


def add(directory: Path, names: Iterable[str], compiler: Compiler) -> None:
    """
    Compile the modules among `names` in `directory`; CalledProcessError if one cannot be.

    In one process and in the order of their names: what compileall writes also depends on what
    the process compiled before.
    """
    python = [name for name in sorted(names) if not name.endswith(".dist-info")]
    subprocess.run(
        [
            *(compiler.path, "-I", "-m", "compileall", "-q", "-f", "-j", "1"),
            *("--invalidation-mode", "unchecked-hash"),
            *("-s", directory, "-p", DEPLOYED),
            *(directory / name for name in python if _is_python(directory / name)),
        ],
        env={"PATH": os.environ["PATH"]},
        check=True,
    )


def _is_python(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".py"


def main() -> None:
    """`python -m infra.bytecode 3.13`: which such Python would compile, if any."""
    try:
        print(find_compiler(sys.argv[1]).path)
    except Missing as missing:
        sys.exit(str(missing))


if __name__ == "__main__":
    main()
