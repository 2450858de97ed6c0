"""
openapi-python-client generates a client from GET /openapi.json, and each operation of it works.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app
from chalicelib.http import openapi
from infra.local.gateway import Gateway
from tests.yard import IMAGE, PROJECT, WORKSPACE, Yard, make_yard

PACKAGE = "generated_jobyard_client"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Generate the client and return the name of its package, which can be imported."""
    folder = tmp_path_factory.mktemp("client")
    document, config = folder / "openapi.json", folder / "config.yaml"
    document.write_text(json.dumps(openapi.build(app.app.endpoints)))
    config.write_text("post_hooks: []\n")
    command = [
        *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
        *("--path", str(document), "--config", str(config), "--meta", "none"),
        *("--output-path", str(folder / PACKAGE)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "arning" not in done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield PACKAGE
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


class Calls:
    """The operations of the generated client, called with one token in one project."""

    def __init__(self, package: str, url: str, token: str) -> None:
        self._package = package
        client = importlib.import_module(f"{package}.client")
        self._client = client.AuthenticatedClient(base_url=url, token=token)
        self._public = client.Client(base_url=url)
        self.made: set[str] = set()
        """Names of the operations that were called."""

    def model(self, name: str, /, **fields: Any) -> Any:
        return getattr(importlib.import_module(f"{self._package}.models"), name).from_dict(fields)

    def patch(self, **fields: Any) -> Any:
        """A JobPatch with only the fields that shall change, as a user of the client writes it."""
        return importlib.import_module(f"{self._package}.models").JobPatch(**fields)

    def kind(self, name: str, value: str) -> Any:
        """The member `value` of the client's enumeration `name`."""
        return getattr(importlib.import_module(f"{self._package}.models"), name)(value)

    def public(self, operation: str) -> Any:
        """Call an operation that needs no token and no arguments."""
        return self._answer(operation, client=self._public)

    def __call__(self, operation: str, *ids: str, **arguments: Any) -> Any:
        """
        Call an operation; the answer has `status_code`, `headers`, and `parsed` as the client's
        type.
        """
        return self._answer(operation, WORKSPACE, PROJECT, *ids, client=self._client, **arguments)

    def _answer(self, operation: str, *ids: str, **arguments: Any) -> Any:
        module = importlib.import_module(f"{self._package}.api.default.{operation}")
        self.made.add(operation)
        answer = module.sync_detailed(*ids, **arguments)
        assert answer.parsed is not None, f"{operation}: the client knows no {answer.status_code}"
        return answer


@pytest.fixture
def served(package: str) -> Iterator[tuple[Yard, Calls]]:
    with make_yard("test") as yard:
        gateway = Gateway(app.app, app.app.routes, 0)
        try:
            yield yard, Calls(package, gateway.url, yard.token)
        finally:
            gateway.close()


def test_the_generated_client_has_every_operation(package: str) -> None:
    """The generator leaves out, with a warning, an operation that it cannot read."""
    folder = Path(str(importlib.import_module(package).__file__)).parent / "api" / "default"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == operations()


def operations() -> set[str]:
    paths = openapi.build(app.app.endpoints)["paths"].values()
    return {one["operationId"] for methods in paths for one in methods.values()}


def test_every_operation_of_the_generated_client_can_be_called(served: tuple[Yard, Calls]) -> None:
    """The client reads every answer in the whole life of a job into its own types."""
    yard, call = served
    assert call.public("health").parsed.status == "success"
    assert call.public("get_openapi").parsed["openapi"] == "3.1.0"
    assert call.public("get_jobs_schema").parsed["title"] == "jobs.yaml"

    spec = call.model("JobSpec", name="a", image=IMAGE, env={"A": "1"}, cpu=0.5, memory_mib=1024)
    made = call("create_job", body=spec, idempotency_key="k")
    job = made.parsed.data
    assert (made.status_code, job.name, job.cpu, job.env["A"]) == (201, "a", 0.5, "1")
    assert call("create_job", body=spec, idempotency_key="k").parsed.data.id == job.id
    assert call("get_job", job.id).parsed.data == job

    changed = call("update_job", job.id, body=call.patch(schedule="@daily"))
    assert changed.parsed.data.schedule == "@daily"
    # the client sends only the fields that were set: all others keep their values
    assert (changed.parsed.data.cpu, changed.parsed.data.env["A"]) == (0.5, "1")
    preview = call("get_schedule", expression="0 3 * * *", count=2).parsed.data
    assert (preview.text, len(preview.slots)) == ("At 03:00 every day", 2)
    assert call("list_upcoming", until="2d", limit=1).parsed.data.is_complete is False
    assert call("get_cost", month="2026-10").parsed.data.month == "2026-10"
    assert call("list_audit_entries", limit=1).parsed.data.entries
    slot = call("list_job_upcoming", job.id).parsed.data.slots[0]
    assert (slot.job_id, slot.job_name) == (job.id, "a")
    body = call.patch(schedule=None, tags=["x"])
    stale = call("update_job_by_put", job.id, body=body, if_match=made.headers["ETag"])
    assert (stale.status_code, stale.parsed.data.version) == (412, 2)
    put = call("update_job_by_put", job.id, body=body, if_match=changed.headers["ETag"])
    assert (put.parsed.data.schedule, put.parsed.data.tags) == (None, ["x"])
    listed = call("list_jobs", tag=["x"], limit=5)
    assert [found.id for found in listed.parsed.data.jobs] == [job.id]

    overrides = call.model("RunOverrides", command="echo hello", env={"B": "2"})
    run = call("trigger_run", job.id, body=overrides, idempotency_key="k").parsed.data
    assert (run.command, run.status) == (["echo", "hello"], "pending")
    again = call("trigger_run", job.id, body=overrides, idempotency_key="k")
    assert (again.status_code, again.parsed.data.id) == (200, run.id)
    other = call("trigger_run", job.id).parsed.data
    yard.finish({"job_id": job.id, "id": run.id}, exit_code=3)
    failed = call("get_run", job.id, run.id).parsed.data
    assert (failed.exit_code, failed.error.code) == (3, "nonzero_exit")
    assert failed.finished_at.tzinfo is not None
    runs = call("list_runs", job.id, status=call.kind("ListRunsStatus", "failed")).parsed.data.runs
    assert [found.id for found in runs] == [run.id]
    of_all = call("list_project_runs", since="1h", limit=5).parsed.data.runs
    assert [(found.id, found.job_name) for found in of_all] == [(other.id, "a"), (run.id, "a")]
    activity = call("list_jobs", include="activity").parsed.data.jobs[0].activity
    assert (activity.in_flight, activity.run_counts.failed) == (1, 1)
    assert [found.error_code for found in activity.recent_runs] == [None, "nonzero_exit"]

    assert call("cancel_run", job.id, other.id).parsed.data is None
    assert call("cancel_run_by_delete", job.id, other.id).status_code == 409
    counts = call("get_status", job.id).parsed.data.run_counts
    assert (counts.failed, counts.cancelled, counts.total) == (1, 1, 2)

    for ids in ((job.id,), (job.id, run.id)):
        kind = "job" if len(ids) == 1 else "run"
        assert call(f"get_{kind}_logs", *ids, filter_="x").parsed.data.logs == []
        both = call(f"get_{kind}_metrics", *ids, names="cpu_usage,nonsense")
        assert both.status_code == 207
        assert both.parsed.data.metrics["cpu_usage"].points == []
        assert both.parsed.data.metrics["nonsense"].code == "unknown_metric"

    invalid = call("create_job", body=call.model("JobSpec", name="", image="x"))
    assert [error.field for error in invalid.parsed.data.errors] == ["name"]
    assert call("delete_job", job.id, if_match="*").status_code == 200
    assert call("get_job", job.id).parsed.code == "not_found"
    assert call.made == operations()
