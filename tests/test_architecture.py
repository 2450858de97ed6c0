"""Dependencies point one way, and importing the app does no work that it may not need."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PURE = (
    "states",
    "refusals",
    "transitions",
    "schedule",
    "cron",
    "zones",
    "specs",
    "queries",
    "views",
    "fields",
)
CLOUDY = ("boto3", "botocore", "pynamodb", "chalice")


def modules_after(statement: str) -> set[str]:
    """Top-level names of what a fresh interpreter has imported after `statement`."""
    code = f"{statement}\nimport sys; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_knows_neither_aws_nor_chalice(name: str) -> None:
    """What they import, they and what they import in turn."""
    imported = modules_after(f"import chalicelib.{name}")
    assert not {module for module in imported if module.split(".")[0] in CLOUDY}


def test_importing_the_app_leaves_out_what_only_some_requests_need() -> None:
    """No AWS client, no boto3, no croniter: a cold start pays for none of them."""
    imported = modules_after("import app")
    for name in ("boto3", "croniter", "chalicelib.openapi", "docker", "moto"):
        assert name not in imported, name
    made = "import app; from chalicelib.cloud import aws; from chalicelib.tables import db; "
    modules_after(f"{made}assert not aws._clients._clients and db._connection is None")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_only_cloud_and_tables_call_aws() -> None:
    """boto3 is imported in one place, PynamoDB in another."""
    for path in (ROOT / "chalicelib").rglob("*.py"):
        here = imports(path)
        if path.parent.name != "cloud":
            assert not {name for name in here if name.split(".")[0] == "boto3"}, path
        if path.parent.name != "tables" and path.name != "reconcile.py":
            assert not {name for name in here if name.split(".")[0] == "pynamodb"}, path


DOORS = {"connection.py", "db.py", "transaction.py"}
"""The modules of tables that may call DynamoDB."""
ALWAYS = {"save", "scan", "batch_get", "batch_write", "dispatch", "_make_api_call"}
"""Methods of PynamoDB's that call DynamoDB, by names that nothing else here has."""
OF_MODELS = {"get", "refresh", "update", "delete", "query", "count", "exists", "create_table"}
"""Others, whose names dictionaries and modules have, too."""


def root(node: ast.expr) -> str | None:
    """`Run` of `Run.in_flight_index.query`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def calls_of_models(source: str, models: set[str]) -> list[str]:
    """
    What a module calls on models, or on objects that it declares or makes as one.

    The code is annotated throughout, so that an object's class is written where it comes from;
    what a loop goes over is not seen here, but tests/reliability/test_one_door.py sees it.
    """
    tree = ast.parse(source)
    objects = set(models)
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as annotation):
                if set(ast.unparse(annotation).split(" | ")) <= models | {"None"}:
                    objects.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=made))):
                if made in models:
                    objects.add(name)
    return [
        ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if (node.func.attr in ALWAYS and root(node.func) != "db")
        or (
            node.func.attr in OF_MODELS
            and root(node.func) in objects
            # `Job.pk.exists()` is a condition, `run.tags.get` a dictionary's
            and (isinstance(node.func.value, ast.Name) or "index" in ast.unparse(node.func))
        )
    ]


def test_dynamodb_is_called_through_one_door() -> None:
    """What does not go through it turns throttling into an error that nobody understands."""
    tables = ROOT / "chalicelib/tables"
    models = {
        node.name
        for path in tables.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and "Model" in map(ast.unparse, node.bases)
    }
    assert {"Job", "Run", "Token", "Place"} <= models
    found = {
        str(path): calls_of_models(path.read_text(), models)
        for path in [ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py")]
        if not (path.parent == tables and path.name in DOORS)
    }
    assert {path: calls for path, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    "code",
    [
        "Run.get(1, 2)",
        "Run.in_flight_index.query('0')",
        "token.save()",
        "def put(place: Place | None): place.update([])",
        "run = Run(1, 2)\nrun.delete()",
        "connect().dispatch('GetItem', {})",
    ],
)
def test_a_call_that_bypasses_the_door_is_found(code: str) -> None:
    """Those that were there once, and others like them."""
    assert calls_of_models(code, {"Run", "Place"})


def test_product_code_does_not_know_the_local_stack() -> None:
    """Nothing of infra, and no word of moto or a local engine."""
    for path in [ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py")]:
        assert not {name for name in imports(path) if name.split(".")[0] in ("infra", "moto")}, path


def test_the_client_knows_neither_the_system_nor_aws() -> None:
    """jobyard/ is a wheel of its own, which speaks HTTP and nothing else."""
    foreign = {"app", "bench", "chalicelib", "infra", "tests", *CLOUDY}
    for path in (ROOT / "jobyard").rglob("*.py"):
        assert not {name for name in imports(path) if name.split(".")[0] in foreign}, path


def test_the_help_of_the_command_line_imports_no_library_that_only_commands_need() -> None:
    """They take longer than everything else that happens until then."""
    imported = modules_after(
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "    out.reconfigure = lambda **_: None\n"
        "    from jobyard.cli import main\n"
        "    main(['--help'])\n"
    )
    assert "jobyard.cli" in imported
    for name in ("urllib3", "rich", "yaml", "platformdirs", "mcp", "jobyard.cli.jobs"):
        assert name not in imported, name
