"""What the archive contains besides the product: the pinned wheels, cut to what functions read."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import bytecode
from infra.bytecode import Compiler

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "dependencies"

SERVICES = ("cloudwatch", "dynamodb", "ecs", "events", "lambda", "logs")
"""The AWS services that the product calls; botocore's data on all others stays out."""
UNUSED = (
    "bin",
    "croniter/tests",
    "pydantic/mypy.py",
    "pydantic/v1",
    "urllib3/contrib/emscripten",
)
"""What no function imports, by its path: tests, and parts for other uses of the same library."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What the dependencies are built for, in pip's names for a Python and a C library."""

    python: str
    wheels: tuple[str, ...]


def _wheels(machine: str) -> tuple[str, ...]:
    return (f"manylinux_2_28_{machine}", f"manylinux2014_{machine}")


LAMBDA = Platform("3.13", _wheels("aarch64"))
"""What infra/stack.yaml pins; Lambda's python3.13 is Amazon Linux 2023 with glibc 2.34."""
HOST = Platform(f"{sys.version_info.major}.{sys.version_info.minor}", _wheels(os.uname().machine))
"""This machine (Linux), where the emulator of `make e2e` runs the functions."""
LAMBDA_HERE = Platform(LAMBDA.python, HOST.wheels)
"""Lambda's Python on this machine's processor: the bench starts functions so."""


def dependencies(platform: Platform, compiler: Compiler | None, kept: Path = KEPT) -> Path:
    """
    What the product runs on, installed for `platform`, trimmed and compiled; kept until a pin
    changes.

    It gets its name only when it is whole, so dying on the way leaves nothing to be mistaken.
    """
    pins = (ROOT / "requirements.txt", ROOT / "constraints.txt", Path(__file__))
    text = repr((platform, compiler)).encode() + b"".join(file.read_bytes() for file in pins)
    whole = (kept / hashlib.sha256(text).hexdigest()[:16]).resolve()
    if not whole.exists():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept) as making:
            vendor = Path(making) / "vendor"
            install(vendor, platform)
            trim(vendor)
            if compiler is not None:
                bytecode.add(vendor, [entry.name for entry in vendor.iterdir()], compiler)
            try:
                vendor.rename(whole)
            except OSError:
                if not whole.exists():  # else somebody was as far a moment ago
                    raise
    return whole


def install(vendor: Path, platform: Platform) -> None:
    """Wheels for `platform`, whatever machine this is; no extension is compiled here."""
    run_python(
        *("-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check"),
        *("--requirement", str(ROOT / "requirements.txt"), "--target", str(vendor)),
        *("--only-binary=:all:", "--implementation", "cp", "--no-compile"),
        *("--python-version", platform.python),
        *(word for wheel in platform.wheels for word in ("--platform", wheel)),
    )


def run_python(*words: str, cwd: Path = ROOT) -> None:
    """This interpreter on those words, its output kept unless it fails (CalledProcessError)."""
    environment = os.environ | {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        done.check_returncode()


def trim(vendor: Path) -> None:
    """
    Leave out what no function reads.

    Metadata stays, since libraries ask it for their version; what pip writes about this machine
    goes.
    """
    for name in UNUSED:
        shutil.rmtree(vendor / name, ignore_errors=True)
        if (vendor / name).is_file():
            (vendor / name).unlink()
    for info in vendor.glob("*.dist-info"):
        for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
            (info / name).unlink(missing_ok=True)
    trim_botocore(vendor / "botocore" / "data")


def trim_botocore(data: Path) -> None:
    """
    Leave SERVICES in botocore's data, and of these what a call needs.

    The newest version of each API, which is the one that botocore takes, without its
    documentation and examples, and without gzip: the archive is compressed already, and a function
    decompresses what it reads at each cold start. Of `endpoints.json`, which every first client
    reads, the services' own part.
    """
    prefixes = set()
    for service in _directories(data):
        if service.name not in SERVICES:
            shutil.rmtree(service)
            continue
        *older, newest = _directories(service)
        for version in older:
            shutil.rmtree(version)
        for examples in newest.glob("examples-*.json"):
            examples.unlink()
        for packed in newest.glob("*.json.gz"):
            made = _without_documentation(json.loads(gzip.decompress(packed.read_bytes())))
            _write(packed.with_suffix(""), made)
            packed.unlink()
        model = json.loads((newest / "service-2.json").read_text())
        prefixes.add(model["metadata"]["endpointPrefix"])
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        found = partition["services"].items()
        partition["services"] = {name: where for name, where in found if name in prefixes}
    _write(data / "endpoints.json", endpoints)


def _without_documentation(value: Any) -> Any:
    """The same JSON without its sentences; a member named `documentation` is none."""
    if isinstance(value, list):
        return [_without_documentation(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_documentation(one)
        for name, one in value.items()
        if not (name == "documentation" and isinstance(one, str))
    }


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")))


def _directories(path: Path) -> Iterator[Path]:
    return (entry for entry in sorted(path.iterdir()) if entry.is_dir())
