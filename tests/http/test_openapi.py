"""GET /openapi.json describes every route, and the answers match its description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import jsonschema_rs
import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel

import app
import chalicelib
from chalicelib.domain.job_spec import JobPatch, JobSpec, RunOverrides
from chalicelib.http import answer_models, openapi, queries
from chalicelib.http.examples import EXAMPLES
from chalicelib.http.operations import OPERATIONS
from tests.yard import Yard

ROUTES = sorted(route for route, one in app.app.endpoints.items() if one.is_described)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.build(app.app.endpoints)


def test_the_document_is_served_without_a_token_and_without_an_envelope(yard: Yard) -> None:
    """Tools expect the document itself, so this one answer has no envelope."""
    served = yard.call("GET", "/openapi.json", headers={"Authorization": ""}, base="")
    assert (served.status, served.headers["Content-Type"]) == (200, "application/json")
    assert served.envelope == openapi.build(app.app.endpoints)


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    """An independent validator reads it."""
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_the_documents_version_is_the_projects(document: dict[str, Any]) -> None:
    """The document of a deployed stage shows which version it runs."""
    assert document["info"]["version"] == chalicelib.__version__


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_is_described(document: dict[str, Any], method: str, path: str) -> None:
    """The document has its parameters, its token, and an example of every answer."""
    operation = document["paths"][path][method.lower()]
    endpoint = app.app.endpoints[method, path]
    placed = {(part["in"], part["name"]) for part in operation["parameters"]}
    assert {("path", name) for name in re.findall(r"{(\w+)}", path)} <= placed
    assert {("query", name) for name in queries.named(endpoint.query).model_fields} <= placed
    assert operation["security"] == ([] if endpoint.role is None else [{"token": []}])
    assert endpoint.role is None or f"`{endpoint.role}`" in operation["description"]
    assert {"400", "429", "500"} <= operation["responses"].keys()
    if endpoint.role is not None:
        assert {"401", "403", "404", "503"} <= operation["responses"].keys()
    for status, response in operation["responses"].items():
        found = _resolved(document, response)
        assert found["description"]
        (content,) = found["content"].values()
        assert "example" in content or path in ("/openapi.json", "/jobs.schema.json"), status


def test_every_described_route_exists(document: dict[str, Any]) -> None:
    """Neither a described path nor an entry of OPERATIONS may be left over from a deleted route."""
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    assert described == set(ROUTES)
    handlers = {app.app.endpoints[route].handler.__name__ for route in ROUTES}
    assert handlers == set(OPERATIONS)


def test_only_the_consoles_files_are_not_described() -> None:
    """The console's files are for browsers; all other routes are the API."""
    left_out = {path for _, path in set(app.app.endpoints) - set(ROUTES)}
    assert left_out == {"/console", "/console/{file}"}


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    """Client generators name functions after them."""
    ids = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(ids) == len(set(ids))


def test_links_lead_from_a_created_resource_to_its_operations(
    document: dict[str, Any],
) -> None:
    """A link gives every parameter of the path that it leads to."""
    paths = {
        one["operationId"]: path
        for path, methods in document["paths"].items()
        for one in methods.values()
    }
    for handler in ("create_job", "trigger_run"):
        made = document["paths"][paths[handler]]["post"]["responses"]["201"]
        assert len(made["links"]) >= 5
        for link in made["links"].values():
            target = paths[link["operationId"]]
            assert set(link["parameters"]) == set(re.findall(r"{(\w+)}", target))


def _resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: Any = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def _examples(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts = {
                **operation["responses"],
                "body": operation.get("requestBody", {"content": {}}),
            }
            for status, response in parts.items():
                for content in _resolved(document, response)["content"].values():
                    if "example" in content:
                        yield f"{method} {path} {status}", content["schema"], content["example"]


def test_every_example_is_valid(document: dict[str, Any]) -> None:
    """Each example is validated against the schema beside it."""
    shown = list(_examples(document))
    assert len(shown) > len(ROUTES) * 5
    for where, schema, example in shown:
        whole = {**schema, "components": document["components"]}
        assert jsonschema_rs.Draft202012Validator(whole).is_valid(example), where


@pytest.mark.parametrize("model", [JobSpec, RunOverrides, JobPatch])
def test_the_api_accepts_every_example_of_a_body(yard: Yard, model: type[BaseModel]) -> None:
    """A reader can paste an example and send it."""
    job = yard.create()
    calls = {
        "JobSpec": ("POST", "/jobs"),
        "JobPatch": ("PATCH", f"/jobs/{job['id']}"),
        "RunOverrides": ("POST", f"/jobs/{job['id']}/runs"),
    }
    answer = yard.call(*calls[model.__name__], EXAMPLES[model.__name__])
    assert answer.status in (200, 201), answer.envelope


def test_the_answer_model_of_a_job_has_every_field_of_its_spec() -> None:
    """A client can read every field that it can set."""
    assert set(JobSpec.model_fields) < set(answer_models.Job.model_fields)


def keeps_to(model: type[BaseModel], data: Any) -> None:
    """Validate that `data` has exactly the fields of the model, with its types."""
    model.model_validate(data, extra="forbid")


def test_answers_about_jobs_and_runs_match_their_models(yard: Yard) -> None:
    """This holds at each step in the life of a job and its runs."""
    plain = yard.create(name="plain")
    keeps_to(answer_models.Job, plain)
    job = yard.create(schedule="*/5 * * * *", command="false", max_retries=1, tags=["a=b"])
    keeps_to(answer_models.Job, job)
    keeps_to(answer_models.JobStatus, yard.status(plain))
    pending = yard.trigger(job, env={"A": "1"})
    keeps_to(answer_models.Run, pending)
    yard.finish(pending, exit_code=1)
    keeps_to(answer_models.Run, yard.run(pending))
    yard.sweep(minutes=10)
    keeps_to(answer_models.Run, yard.run(pending))
    keeps_to(answer_models.JobStatus, yard.status(job))
    read = yard.call("GET", "/schedule", query={"expression": "@daily"})
    keeps_to(answer_models.Schedule, read.data)
    for path in ("/upcoming", f"/jobs/{job['id']}/upcoming"):
        to_come = yard.call("GET", path, query={"limit": 2}).data
        assert len(to_come["slots"]) == 2
        keeps_to(answer_models.Upcoming, to_come)
    keeps_to(answer_models.JobList, yard.call("GET", "/jobs", query={"limit": 1}).data)
    active = yard.call("GET", "/jobs", query={"include": "activity"}).data
    assert sum(len(each["activity"]["recent_runs"]) for each in active["jobs"]) > 1
    keeps_to(answer_models.JobList, active)
    keeps_to(answer_models.RunList, yard.call("GET", f"/jobs/{job['id']}/runs").data)
    keeps_to(answer_models.RunList, yard.call("GET", "/runs").data)
    yard.call("POST", f"/jobs/{job['id']}/runs/{pending['id']}/cancel")
    keeps_to(answer_models.Run, yard.run(pending))
    failed = yard.trigger(plain)
    yard.finish(failed, exit_code=3)
    keeps_to(answer_models.Run, yard.run(failed))
    assert yard.run(failed)["error"]["code"] == "nonzero_exit"
    keeps_to(answer_models.JobStatus, yard.status(plain))


def test_answers_about_logs_and_metrics_match_their_models(yard: Yard) -> None:
    """Logs are read with and without lines, metrics with a known and an unknown name."""
    run = yard.trigger(yard.create())
    group = yard.system.settings.log_group(run["job_id"])
    stream = f"run/main/{yard.task_of(run).rsplit('/', 1)[-1]}"
    at = int(yard.clock().timestamp() * 1000)
    logs = boto3.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": at, "message": "hello"}],
    )
    yard.clock.move(seconds=30)
    for base in (f"/jobs/{run['job_id']}", f"/jobs/{run['job_id']}/runs/{run['id']}"):
        shown = yard.call("GET", f"{base}/logs")
        keeps_to(answer_models.Logs, shown.data)
        assert [one["message"] for one in shown.data["logs"]] == ["hello"]
        keeps_to(answer_models.Logs, yard.call("GET", f"{base}/logs", query={"filter": "x"}).data)
        measured = yard.call("GET", f"{base}/metrics", query={"names": "cpu_usage,nonsense"})
        assert measured.status == 207
        keeps_to(answer_models.Metrics, measured.data)
        keeps_to(answer_models.Metrics, yard.call("GET", f"{base}/metrics").data)


def test_errors_match_the_document(document: dict[str, Any], yard: Yard) -> None:
    """An error has the same envelope with and without fields."""
    for answer in (
        yard.call("GET", "/jobs", query={"bogus": "1"}),
        yard.call("POST", "/jobs", {"name": 1}),
        yard.call("GET", "/nothing"),
        yard.call("POST", "/jobs", "{"),
    ):
        name = "InvalidFields" if answer.status == 422 else "Error"
        schema = document["components"]["schemas"][name]
        jsonschema_rs.Draft202012Validator(schema).validate(answer.envelope)
        assert set(answer.envelope) == {"status", "message", "code", "data"}
        assert json.dumps(answer.envelope)
