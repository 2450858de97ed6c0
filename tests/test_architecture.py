"""Imports go in one direction, and importing the app does only what every request needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import chalicelib
import jobyard
from chalicelib.tables.records import Job, Token
from chalicelib.tables.run_records import Run

ROOT = Path(__file__).parent.parent
PRODUCT = sorted((ROOT / "chalicelib").rglob("*.py"))
FLOORS = ("domain", "cloud", "tables", "engine", "usecases", "http")
"""The folders of chalicelib from the lowest up: each may import itself and those before it."""
EVERYWHERE = ("settings", "log", "clock")
"""What every floor except `domain` may import; they import nothing but `domain`."""
KNOWN_TO = {
    "boto3": (),
    "botocore": ("cloud", "tables"),
    "pynamodb": ("tables",),
    "chalice": ("http", "app"),
    "pydantic": ("domain", "http", "usecases"),
}
"""The floors that may import a library for AWS, for HTTP or for validation."""


def modules_after(statement: str) -> set[str]:
    """The top-level names of all that a fresh interpreter has imported after `statement`."""
    code = f"{statement}\nimport sys; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_importing_the_app_does_not_import_what_only_some_requests_need() -> None:
    """A cold start does not pay for AWS clients, validation or croniter."""
    imported = modules_after("import app")
    for name in ("boto3", "croniter", "pydantic", "chalicelib.http.openapi", "docker", "moto"):
        assert name not in imported, name
    modules_after("import app; assert 'system' not in vars(app.app), 'built at import'")


def imports(path: Path) -> set[str]:
    """The dotted names that a file imports: at its top, in functions and for types only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FILES = {path.relative_to(ROOT / "chalicelib"): path for path in PRODUCT}


def test_every_file_belongs_to_a_floor() -> None:
    """`ls chalicelib` shows the floors, and besides them only what every floor uses."""
    known = {*FLOORS, "__init__.py", "system.py", *(f"{name}.py" for name in EVERYWHERE)}
    assert {path.parts[0] for path in FILES} == known


@pytest.mark.parametrize("file", FILES, ids=str)
def test_imports_go_down_only(file: Path) -> None:
    """This includes imports inside functions and imports for types only."""
    floor = file.parts[0].removesuffix(".py")
    if floor == "system":
        return  # the composition root builds every floor
    below: set[str] = set(FLOORS[: FLOORS.index(floor) + 1]) if floor in FLOORS else {"domain"}
    if floor != "domain":
        below |= set(EVERYWHERE)
    parts = (name.split(".") for name in imports(FILES[file]))
    seen = {part[1] for part in parts if part[0] == "chalicelib" and len(part) > 1}
    if file in (Path("http/request.py"), Path("http/api.py"), Path("http/custom_resource.py")):
        seen -= {"system"}  # the type of what they use or give to handlers
    assert seen <= below


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_library_is_known_only_on_its_floors(file: Path) -> None:
    """AWS's errors are handled in `cloud` and `tables`, Chalice's in `http`."""
    floor = file.parts[0].removesuffix(".py")
    libraries = {name.split(".")[0] for name in imports(FILES[file])}
    for library in libraries & KNOWN_TO.keys():
        assert floor in KNOWN_TO[library], library


def test_no_file_imports_another_in_a_circle() -> None:
    """
    This holds for the local stack too: files that import each other are one thing in two files.
    """
    roots = [*PRODUCT, *(ROOT / "infra").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in roots}
    graph = {name: imports(path) & names.keys() for name, path in names.items()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*way, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_no_module_is_longer_than_300_lines() -> None:
    """
    This holds for product, tools and tests: such a file can be read at once and has one subject.
    """
    folders = ("bench", "chalicelib", "infra", "jobyard", "tests")
    paths = [ROOT / "app.py", *(path for name in folders for path in (ROOT / name).rglob("*.py"))]
    lengths = {str(path): path.read_text().count("\n") for path in paths}
    assert len(lengths) > 300
    assert {path: length for path, length in lengths.items() if length > 300} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    """A longer function has steps, which should get names."""
    for path in [ROOT / "app.py", *PRODUCT]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}: {node.name}"


def test_dynamodb_is_called_through_one_door() -> None:
    """Models cannot connect by themselves; only one module has the connection."""
    holders = {
        str(file) for file, path in FILES.items() if "chalicelib.tables.connection" in imports(path)
    }
    assert holders == {"tables/database.py"}
    for model in (Job, Run, Token):
        with pytest.raises(AttributeError, match="Meta"):
            model.get("x")


def test_product_code_does_not_know_the_local_stack() -> None:
    """It imports neither infra nor moto."""
    for path in [ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py")]:
        assert not {name for name in imports(path) if name.split(".")[0] in ("infra", "moto")}, path


def test_the_client_knows_neither_the_system_nor_aws() -> None:
    """jobyard/ is packaged as a separate wheel that only uses HTTP."""
    foreign = {
        "app",
        "bench",
        "chalicelib",
        "infra",
        "tests",
        "boto3",
        "botocore",
        "pynamodb",
        "chalice",
    }
    for path in (ROOT / "jobyard").rglob("*.py"):
        assert not {name for name in imports(path) if name.split(".")[0] in foreign}, path


def test_the_help_of_the_command_line_imports_no_library_that_only_commands_need() -> None:
    """Importing them takes longer than everything else that the help does."""
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


def test_the_system_and_its_client_have_one_version() -> None:
    """The archive for Lambda has no jobyard/, and the wheel has no chalicelib/."""
    assert chalicelib.__version__ == jobyard.__version__
