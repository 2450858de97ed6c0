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
import json
import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chalicelib.http import console
from infra import bytecode
from infra.bytecode import Compiler
from infra.dependencies import LAMBDA, Platform, dependencies, run_python

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "package"
CHALICE_STAGE = "any"
"""The one stage of .chalice/config.json: what differs by stage is a CloudFormation parameter."""
PRODUCT = ("app.py", "chalicelib", "chalice")
"""What the archive has besides dependencies: the product, and the runtime that Chalice puts in."""


@dataclass(frozen=True, slots=True)
class Package:
    """What was made."""

    template: Path
    archive: Path


def build(out: Path, platform: Platform, compiler: Compiler | None) -> Package:
    """
    Package the product into `out`, which is made anew; without `compiler` it has no bytecode.

    Raises CalledProcessError.
    """
    shutil.rmtree(out, ignore_errors=True)
    staging, chalice, code = out / "staging", out / "chalice", out / "code"
    copy_product(staging)
    (staging / "vendor").symlink_to(dependencies(platform, compiler))
    run_chalice(staging, chalice)
    made = Package(out / "template.json", out / "deployment.zip")
    template = yaml.safe_load((chalice / "sam.yaml").read_text())
    made.template.write_text(json.dumps(finish(template), indent=1, sort_keys=True) + "\n")
    with zipfile.ZipFile(chalice / "deployment.zip") as packed:
        packed.extractall(code)
    (code / "console").mkdir()  # Chalice packs no folder but its own
    for name, file in console.files().items():
        shutil.copy(file, code / "console" / name)
    if compiler is not None:
        bytecode.add(code, PRODUCT, compiler)
    pack(code, made.archive)
    for directory in (staging, chalice, code):
        shutil.rmtree(directory)
    return made


def copy_product(staging: Path) -> None:
    """Only what runs: no caches, no tests, no requirements.txt (vendor/ holds what it names)."""
    junk = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    shutil.copytree(ROOT / "chalicelib", staging / "chalicelib", ignore=junk)
    shutil.copy(ROOT / "app.py", staging)
    (staging / ".chalice").mkdir()
    for file in (ROOT / ".chalice").glob("*.json"):
        shutil.copy(file, staging / ".chalice")


def run_chalice(staging: Path, out: Path) -> None:
    """`chalice package` with the stack merged in; a region must be named, but nothing is asked."""
    run_python(
        *("-c", "from chalice.cli import main; main()", "package", "--stage", CHALICE_STAGE),
        *("--merge-template", str(ROOT / "infra" / "stack.yaml"), "--template-format", "yaml"),
        str(out.resolve()),
        cwd=staging,
    )


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


def pack(code: Path, out: Path) -> None:
    """Zip the files sorted and readable by all: os.walk's order and the umask are the disk's."""
    with zipfile.ZipFile(out, "w") as sink:
        for path in sorted(path for path in code.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(path.relative_to(code)), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            sink.writestr(entry, path.read_bytes(), compresslevel=9)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `make package` and `make deploy` say about bytecode."""
    parser.add_argument(
        "--bytecode",
        choices=("yes", "no"),
        default="yes",
        help="no: cold starts take twice as long",
    )
    parser.add_argument("--runtime-python", help=f"a CPython {LAMBDA.python} to compile with")


def compiler(options: argparse.Namespace) -> Compiler | None:
    """Who compiles, by these options; None: nobody. Raises Missing."""
    if options.bytecode == "no":
        print("without bytecode: each cold start takes more than twice the CPU time")
        return None
    found = bytecode.find_compiler(LAMBDA.python, options.runtime_python)
    print(f"compiling with {found.path}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="make package", description=__doc__.split("\n\n")[0])
    add_options(parser)
    try:
        made = build(OUT, LAMBDA, compiler(parser.parse_args()))
    except bytecode.Missing as missing:
        sys.exit(f"make package: {missing}")
    print(f"{made.template}\n{made.archive}: {made.archive.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
