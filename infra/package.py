"""
From the checkout to what CloudFormation takes: a template and one archive for all functions.

    build/package/    template.json and deployment.zip

The template is the same for every stage; the stage is its parameter. The archive is the same
for every function. Both repeat byte for byte, so that deploying one commit twice changes nothing.

Why not plain `chalice package`: it takes the runtime from the Python that packages, zips
whatever lies in chalicelib/, and brings 400 services' worth of botocore.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chalicelib.http import console

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "package"
DEPENDENCIES = ROOT / "build" / "dependencies"
CHALICE_STAGE = "any"
"""The one stage of .chalice/config.json: what differs by stage is a CloudFormation parameter."""

SERVICES = ("cloudwatch", "dynamodb", "ecs", "events", "logs")
"""The AWS services that the product calls; botocore's data on all others stays out."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What the dependencies are built for, in pip's names for a Python and a C library."""

    python: str
    wheels: tuple[str, ...]


LAMBDA = Platform("3.13", ("manylinux_2_28_aarch64", "manylinux2014_aarch64"))
"""What infra/stack.yaml pins; Lambda's python3.13 is Amazon Linux 2023 with glibc 2.34."""
HOST = Platform(
    f"{sys.version_info.major}.{sys.version_info.minor}",
    (f"manylinux_2_28_{os.uname().machine}", f"manylinux2014_{os.uname().machine}"),
)
"""This machine (Linux), where the emulator of `make e2e` runs the functions."""


@dataclass(frozen=True, slots=True)
class Package:
    """What was made."""

    template: Path
    archive: Path


def build(out: Path, platform: Platform) -> Package:
    """Package the product into `out`, which is made anew. Raises CalledProcessError."""
    shutil.rmtree(out, ignore_errors=True)
    staging, chalice = out / "staging", out / "chalice"
    copy_product(staging)
    (staging / "vendor").symlink_to(dependencies(platform))
    run_chalice(staging, chalice)
    made = Package(out / "template.json", out / "deployment.zip")
    template = yaml.safe_load((chalice / "sam.yaml").read_text())
    made.template.write_text(json.dumps(finish(template), indent=1, sort_keys=True) + "\n")
    repack(chalice / "deployment.zip", console_files(), made.archive)
    shutil.rmtree(staging)
    shutil.rmtree(chalice)
    return made


def copy_product(staging: Path) -> None:
    """Only what runs: no caches, no tests, no requirements.txt (vendor/ holds what it names)."""
    junk = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    shutil.copytree(ROOT / "chalicelib", staging / "chalicelib", ignore=junk)
    shutil.copy(ROOT / "app.py", staging)
    (staging / ".chalice").mkdir()
    for file in (ROOT / ".chalice").glob("*.json"):
        shutil.copy(file, staging / ".chalice")


def dependencies(platform: Platform, kept: Path = DEPENDENCIES) -> Path:
    """
    What the product runs on, installed for `platform` and trimmed; kept until a pin changes.

    It gets its name only when it is whole, so dying on the way leaves nothing to be mistaken.
    """
    pins = (ROOT / "requirements.txt", ROOT / "constraints.txt", Path(__file__))
    text = repr(platform).encode() + b"".join(file.read_bytes() for file in pins)
    whole = (kept / hashlib.sha256(text).hexdigest()[:16]).resolve()
    if not whole.exists():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept) as making:
            vendor = Path(making) / "vendor"
            install(vendor, platform)
            trim(vendor)
            try:
                vendor.rename(whole)
            except OSError:
                if not whole.exists():  # else somebody was as far a moment ago
                    raise
    return whole


def install(vendor: Path, platform: Platform) -> None:
    """Wheels for `platform`, whatever machine this is; nothing is compiled here."""
    run_python(
        *("-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check"),
        *("--requirement", str(ROOT / "requirements.txt"), "--target", str(vendor)),
        *("--only-binary=:all:", "--implementation", "cp", "--no-compile"),
        *("--python-version", platform.python),
        *(word for wheel in platform.wheels for word in ("--platform", wheel)),
    )


def trim(vendor: Path) -> None:
    """
    Leave out what no function reads.

    Of botocore's data that is every service but SERVICES (the files beside the directories,
    endpoints and retries, are for all of them); boto3's data is for its resource objects, which
    the product does not use. Metadata stays, since libraries ask it for their version; what pip
    writes about this machine goes.
    """
    for service in _directories(vendor / "botocore" / "data"):
        if service.name not in SERVICES:
            shutil.rmtree(service)
    for directory in (vendor / "boto3" / "data", vendor / "boto3" / "examples", vendor / "bin"):
        shutil.rmtree(directory, ignore_errors=True)
    for info in vendor.glob("*.dist-info"):
        for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
            (info / name).unlink(missing_ok=True)


def _directories(path: Path) -> Iterator[Path]:
    return (entry for entry in sorted(path.iterdir()) if entry.is_dir())


def run_chalice(staging: Path, out: Path) -> None:
    """`chalice package` with the stack merged in; a region must be named, but nothing is asked."""
    run_python(
        *("-c", "from chalice.cli import main; main()", "package", "--stage", CHALICE_STAGE),
        *("--merge-template", str(ROOT / "infra" / "stack.yaml"), "--template-format", "yaml"),
        str(out.resolve()),
        cwd=staging,
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


def finish(template: dict[str, Any]) -> dict[str, Any]:
    """
    What a merge cannot say.

    1. Every path also takes any method, and `/` and `/{proxy+}` take any path, so that 404 and
       405 come from the product: API Gateway would answer 403 "Missing Authentication Token".
    2. The tag that Chalice gives its functions names its own stage, which is not ours.
    """
    paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    integration = paths["/health"]["get"]["x-amazon-apigateway-integration"]
    any_method = {"responses": {}, "x-amazon-apigateway-integration": integration}
    for path in [*paths, "/", "/{proxy+}"]:
        names = [part[1:-1].rstrip("+") for part in path.split("/") if part.startswith("{")]
        parameters = [{"name": n, "in": "path", "required": True, "type": "string"} for n in names]
        method = {**any_method, "parameters": parameters}
        paths.setdefault(path, {})["x-amazon-apigateway-any-method"] = method
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            del resource["Properties"]["Tags"]
    return template


def console_files() -> dict[str, bytes]:
    """The console's files by their names in the archive; Chalice packs no folder but its own."""
    return {f"console/{name}": file.read_bytes() for name, file in console.files().items()}


def repack(archive: Path, more: dict[str, bytes], out: Path) -> None:
    """
    The same files and `more`, sorted and readable by all: os.walk's order and the umask are the
    disk's.
    """
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(out, "w") as sink:
        for name in sorted([*source.namelist(), *more]):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            content = more[name] if name in more else source.read(name)
            sink.writestr(entry, content, compresslevel=9)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make package", description=__doc__.split("\n\n")[0])
    parser.parse_args()
    made = build(OUT, LAMBDA)
    print(f"{made.template}\n{made.archive}: {made.archive.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
