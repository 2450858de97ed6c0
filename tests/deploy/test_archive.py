"""The deployment archive is small, complete, and the same each time."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from infra import package
from infra.bytecode import Compiler, Missing, find_compiler
from infra.dependencies import HOST, LAMBDA, SERVICES, dependencies, trim_botocore

LIMIT = 7_000_000
"""The largest allowed size of the zipped archive, in bytes."""

# Imports what a cold function imports, in an interpreter that sees only the archive and Python's
# own library.
PROBE = """
import sys
sys.path.insert(0, sys.argv[1])
import zoneinfo

import app
from chalicelib.system import System
from infra_services import SERVICES

system = System.of_environment()
for part in System.__annotations__:
    getattr(system, part)
system.database.client
for service in SERVICES:
    system.clients.get(service)
zoneinfo.ZoneInfo("Europe/Berlin")
outside = [
    name
    for name, module in sys.modules.items()
    if "site-packages" in (getattr(module, "__file__", None) or "")
]
assert outside == [], outside
from botocore import __file__ as botocore
from tzdata import __file__ as tzdata
assert botocore.startswith(sys.argv[1]) and tzdata.startswith(sys.argv[1])
print("complete")
"""


BYTECODE = re.compile(r"(^|/)__pycache__/[^/]+\.cpython-313\.pyc$")


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist()


def test_packaging_one_commit_twice_gives_the_same_bytes(
    packaged: package.Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    CloudFormation updates what has different bytes, so a repeated deployment must package the same
    bytes, also from another checkout.
    """
    monkeypatch.setattr(package, "dependencies", partial(dependencies, kept=tmp_path))
    again = package.build(tmp_path / "again", LAMBDA, lambdas_python())
    for one, other in ((packaged.archive, again.archive), (packaged.template, again.template)):
        assert digest(one) == digest(other)


def lambdas_python() -> Compiler | None:
    """As the fixture `packaged` has it."""
    try:
        return find_compiler(LAMBDA.python)
    except Missing:
        return None


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_archive_is_small(packaged: package.Package) -> None:
    """The size of the archive limits what a cold start loads."""
    assert packaged.archive.stat().st_size < LIMIT


def test_the_archive_contains_the_product_and_nothing_else(packaged: package.Package) -> None:
    """
    It has the product's modules, its dependencies and Chalice's runtime, and no tests or tools.
    """
    found = [name for name in names(packaged.archive) if not BYTECODE.search(name)]
    product = {name for name in found if name == "app.py" or name.startswith("chalicelib/")}
    modules = {
        str(path.relative_to(package.ROOT)) for path in (package.ROOT / "chalicelib").rglob("*.py")
    }
    assert product == modules | {"app.py"}
    own = {name for name in found if name.startswith("console/")}
    assert own == {f"console/{path.name}" for path in (package.ROOT / "console").iterdir()}
    litter = re.compile(r"__pycache__|\.pyc$|(^|/)\.|^bin/|/RECORD$|direct_url")
    assert [name for name in found if litter.search(name)] == []


def test_wheels_are_for_lambdas_processor_and_python(packaged: package.Package) -> None:
    """The machine that packages does not matter."""
    compiled = [name for name in names(packaged.archive) if name.endswith(".so")]
    assert compiled != []
    assert {re.sub(r".*\.(cpython-[^.]*)\.so", r"\1", name) for name in compiled} == {
        "cpython-313-aarch64-linux-gnu"
    }


def test_botocore_knows_the_services_that_are_used_and_no_others(
    packaged: package.Package,
) -> None:
    """The data of all 400 services would be three quarters of the archive."""
    data = {name.split("/")[2] for name in names(packaged.archive) if _is_service(name)}
    assert data == set(SERVICES)


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"])
def test_the_cut_data_of_botocore_makes_the_same_calls(tmp_path: Path, region: str) -> None:
    """Every operation takes and gives what it did, at the same address."""
    data = tmp_path / "data"
    shutil.copytree(Path(botocore.__file__).parent / "data", data)
    trim_botocore(data)
    whole, cut = botocore.session.Session(), botocore.session.Session()
    loader = botocore.loaders.Loader(
        extra_search_paths=[str(data)], include_default_search_paths=False
    )
    cut.register_component("data_loader", loader)
    for service in SERVICES:
        one, other = (
            session.create_client(service, region, aws_access_key_id="a", aws_secret_access_key="b")
            for session in (whole, cut)
        )
        assert one.meta.endpoint_url == other.meta.endpoint_url
        assert one.meta.partition == other.meta.partition
        model, cut_model = one.meta.service_model, other.meta.service_model
        assert model.operation_names == cut_model.operation_names
        for name in model.operation_names:
            operation, same = model.operation_model(name), cut_model.operation_model(name)
            assert described(operation.input_shape) == described(same.input_shape), name
            assert described(operation.output_shape) == described(same.output_shape), name


def described(shape: Any, depth: int = 3) -> Any:
    """Types, members and serialization of a shape, as deep as calls of the product go."""
    if shape is None or not depth:
        return None
    members = getattr(shape, "members", {}) if shape.type_name == "structure" else {}
    return (
        *(shape.type_name, shape.serialization, sorted(getattr(shape, "required_members", ()))),
        {name: described(member, depth - 1) for name, member in members.items()},
    )


def _is_service(name: str) -> bool:
    return name.startswith("botocore/data/") and name.count("/") > 2


def test_every_service_that_the_product_calls_is_among_them() -> None:
    """PynamoDB calls DynamoDB; the product's code names each other service."""
    sources = [path.read_text() for path in (package.ROOT / "chalicelib").rglob("*.py")]
    called = {name for text in sources for name in re.findall(r"clients\.get\(\"(\w+)\"\)", text)}
    assert called | {"dynamodb"} == set(SERVICES)


@pytest.mark.skipif(sys.platform != "linux", reason="the wheels that are tried are Linux's")
def test_everything_works_from_the_archive_s_bytecode_alone(tmp_path: Path) -> None:
    """
    All parts of the product are built, and all clients, where no source can be imported.

    It is the same archive with wheels for the Python at hand, which also compiles. So a cold start
    compiles nothing.
    """
    made = package.build(tmp_path / "host", HOST, find_compiler(HOST.python))
    code = tmp_path / "code"
    with zipfile.ZipFile(made.archive) as opened:
        opened.extractall(code)
    for source in code.rglob("*.py"):
        source.write_text("raise ImportError('compiled from its source')")
    (code / "infra_services.py").write_text(f"SERVICES = {SERVICES!r}\n")
    regions = {"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROBE, str(code)],
        env=dict(zip(SETTINGS, SETTINGS, strict=True)) | regions | {"PYTHONTZPATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.returncode) == ("complete\n", 0), done.stderr


SETTINGS = (
    "JOBYARD_STAGE",
    "JOBYARD_JOBS_TABLE",
    "JOBYARD_RUNS_TABLE",
    "JOBYARD_TOKENS_TABLE",
    "JOBYARD_CLUSTER",
    "JOBYARD_SUBNETS",
    "JOBYARD_SECURITY_GROUPS",
    "JOBYARD_EXECUTION_ROLE_ARN",
)
