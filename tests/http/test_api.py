"""How the framework turns an event into an answer, the same for every route."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from chalice.app import Blueprint

from chalicelib.http.answer import Answer, ok
from chalicelib.http.api import PROJECT, Api
from chalicelib.http.request import Request
from chalicelib.system import System
from tests.http.conftest import Clock, token
from tests.http.small_api import BASE, JOB, RUN, call


def test_a_route_without_a_role_does_not_start() -> None:
    """
    A route whose role was forgotten is an error at import, so that it never is open to everybody.
    """
    app = Api("test", System.of_environment)
    with pytest.raises(TypeError, match="role"):
        app.get("/open")(lambda request: ok("x"))
    with pytest.raises(TypeError, match="role"):
        app.get(PROJECT + "/jobs", role="admin")(lambda request: ok("x"))
    with pytest.raises(TypeError, match="path"):
        app.get("/jobs/{job_id}", role="read")(lambda request: ok("x"))
    with pytest.raises(TypeError, match="role"):
        app.route("/open", methods=["GET"])(dict)
    assert not app.routes


def test_a_route_without_a_role_is_found_at_import_and_answers_nothing(app: Api) -> None:
    """Chalice's blueprints know no roles, so a route of a blueprint must be found."""
    blueprint = Blueprint("extra")
    blueprint.route("/open")(dict)
    app.check_closed()
    app.register_blueprint(blueprint)
    with pytest.raises(TypeError, match="GET /open"):
        app.check_closed()
    assert call(app, "GET", "/open")[0] == 405


def test_chalice_sees_every_route_with_its_methods(app: Api) -> None:
    """The API of the deployed package is made from Chalice's own table of routes."""
    assert {path: sorted(methods) for path, methods in app.routes.items()} == {
        "/health": ["GET"],
        f"{PROJECT}/jobs": ["POST"],
        f"{PROJECT}/jobs/{{job_id}}/runs": ["GET"],
        f"{PROJECT}/jobs/{{job_id}}/runs/{{run_id}}": ["DELETE"],
        f"{PROJECT}/jobs/{{job_id}}/runs/{{run_id}}/cancel": ["POST"],
    }


def test_a_public_route_needs_no_token(app: Api) -> None:
    """A public route reads no token, no table and no settings."""
    status, envelope, headers = call(app, "GET", "/health")
    assert (status, envelope) == (200, {"status": "success", "message": "up", "data": None})
    assert headers["X-Request-Id"] == "r-1"
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"


def test_a_handler_gets_the_request_and_the_ids_of_its_path(app: Api, write: str) -> None:
    """The framework checks workspace and project; a handler with two decorators has two routes."""
    runs = f"{BASE}/jobs/{JOB}/runs"
    assert call(app, "GET", runs, write, query={"limit": ["5"]})[:2] == (
        200,
        {"status": "success", "message": "runs", "data": {"limit": 5, "project": "acme#etl"}},
    )
    expected = {"status": "success", "message": "cancelled", "data": {"job": JOB, "run": RUN}}
    assert call(app, "DELETE", f"{runs}/{RUN}", write)[:2] == (200, expected)
    assert call(app, "POST", f"{runs}/{RUN}/cancel", write)[:2] == (200, expected)
    status, envelope, headers = call(
        app, "POST", f"{BASE}/jobs", write, b'{"name":"n","image":"i"}'
    )
    assert (status, envelope["data"], headers["Location"]) == (201, {"name": "n"}, f"jobs/{JOB}")


def test_an_unknown_path_is_404_and_an_unknown_method_405_with_allow(app: Api) -> None:
    """Neither needs a token: which routes exist is no secret."""
    status, envelope, _ = call(app, "GET", "/nothing")
    assert (status, envelope["status"], envelope["code"]) == (404, "error", "not_found")
    for method in ("POST", "HEAD", "OPTIONS", "TRACE", "get", ""):
        status, envelope, headers = call(app, method, "/health")
        assert (status, envelope["code"], headers["Allow"]) == (405, "method_not_allowed", "GET")


def test_requests_are_checked_in_a_fixed_order(system: System, app: Api, write: str) -> None:
    """
    The token is checked first, then tenancy and role, then the form of ids and query, then the
    body.
    """
    reader = token(system, role="read")
    bad = {"bogus": ["1"]}
    jobs = f"{BASE}/jobs"
    assert call(app, "POST", jobs, None, b"{", bad)[0] == 401
    assert call(app, "POST", jobs, reader, b"{", bad)[0] == 403
    assert call(app, "POST", "/workspaces/other/projects/etl/jobs", write, b"{", bad)[0] == 403
    assert call(app, "POST", jobs, write, b"{", bad)[0] == 400
    assert "bogus" in call(app, "POST", jobs, write, b"{", bad)[1]["message"]
    assert "not JSON" in call(app, "POST", jobs, write, b"{")[1]["message"]
    assert call(app, "POST", jobs, write, b"{}")[0] == 422
    assert call(app, "GET", f"{jobs}/nonsense/runs", None)[0] == 401
    assert call(app, "GET", f"{jobs}/nonsense/runs", write, query=bad)[0] == 404


def test_a_401_says_how_to_authenticate_and_a_403_does_not_say_what_exists(
    app: Api, write: str
) -> None:
    """Every path of another workspace gets the same answer."""
    status, envelope, headers = call(app, "GET", f"{BASE}/jobs/{JOB}/runs")
    assert (status, envelope["code"]) == (401, "unauthenticated")
    assert headers["WWW-Authenticate"] == "Bearer"
    paths = [
        f"/workspaces/{workspace}/projects/etl/jobs/{job}/runs"
        for workspace in ("other", "a%2Fb", "acme%00")
        for job in (JOB, "x", "%2e%2e")
    ]
    answers = {json.dumps(call(app, "GET", path, write)) for path in paths}
    assert len(answers) == 1
    assert '"forbidden"' in answers.pop()


@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/jobs/{JOB.lower()}/runs",
        f"{BASE}/jobs/{JOB}x/runs",
        f"{BASE}/jobs/{RUN}/runs",
        f"{BASE}/jobs/job_%3001KAR0Z3J5T8WQ2V4X6Y8ZABC/runs",
        f"{BASE}/jobs/job_91KAR0Z3J5T8WQ2V4X6Y8ZABCD/runs",
        f"{BASE}/jobs//runs",
        f"{BASE}/jobs/{'x' * 5000}/runs",
        f"{BASE}/jobs/\ud800/runs",
        f"/workspaces/acme/projects/a%2Fb/jobs/{JOB}/runs",
        f"/workspaces/acme/projects/a#b/jobs/{JOB}/runs",
        f"/workspaces/acme/projects/{'p' * 64}/jobs/{JOB}/runs",
    ],
)
def test_an_id_of_another_form_is_404_without_a_read(app: Api, write: str, path: str) -> None:
    """Nothing can have such an id, and the message does not repeat a long id."""
    status, envelope, _ = call(app, "GET", path, write)
    assert (status, envelope["code"]) == (404, "not_found")
    assert len(envelope["message"]) < 200


@pytest.mark.parametrize(("left_ms", "expected"), [(30_000, 17.0), (10_000, 8.0), (900_000, 17.0)])
def test_a_request_has_a_deadline_within_the_function_s(
    app: Api, left_ms: int, expected: float
) -> None:
    """The deadline is at most 17 s, and at least 2 s before the function ends."""
    seen: list[float] = []

    @app.get("/time", role=None)
    def time(request: Request) -> Answer:
        seen.append(app.system.clock.remaining())
        return ok("x")

    context = SimpleNamespace(aws_request_id="r-1", get_remaining_time_in_millis=lambda: left_ms)
    assert call(app, "GET", "/time", context=context)[0] == 200
    assert expected - 1 < seen[0] <= expected
    assert app.system.clock.remaining() == float("inf")


def test_a_request_s_log_line_names_ids_and_no_secret(
    app: Api, write: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The line says what was asked, the status and whose token; never a token, a body or a value.
    """
    body = b'{"name": "n", "image": "i", "env": {"PASSWORD": "hunter2"}, "bogus": 1}'
    call(app, "DELETE", f"{BASE}/jobs/{JOB}/runs/{RUN}", write)
    call(app, "POST", f"{BASE}/jobs", write, body)
    call(app, "POST", f"{BASE}/jobs", write[:-1], body)
    out = capsys.readouterr().out
    first, second, third = map(json.loads, out.splitlines())
    assert (first["method"], first["status"], first["request_id"]) == ("DELETE", 200, "r-1")
    assert (first["job_id"], first["run_id"], first["project_id"]) == (JOB, RUN, "etl")
    assert first["resource"] == PROJECT + "/jobs/{job_id}/runs/{run_id}"
    assert (second["status"], second["code"], third["status"]) == (422, "invalid_fields", 401)
    assert write[4:30] not in out
    assert "hunter2" not in out and "PASSWORD" not in out


def test_requests_in_threads_do_not_see_each_other(app: Api, write: str) -> None:
    """Nothing about a request is stored on the app."""
    wrong: list[Any] = []

    def many(project: str) -> None:
        for _ in range(25):
            path = f"/workspaces/acme/projects/{project}/jobs/{JOB}/runs"
            seen = call(app, "GET", path, write)[1]["data"]
            if seen["project"] != f"acme#{project}":
                wrong.append(seen)

    threads = [threading.Thread(target=many, args=(f"p{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_clock_is_read_once_per_request(app: Api, write: str, clock: Clock) -> None:
    """Authentication and the handler see the same time."""
    seen = []

    @app.get("/now", role=None)
    def now(request: Request) -> Answer:
        clock.passes(timedelta(hours=1))
        seen.append(request.now)
        return ok("x")

    before = clock.at
    call(app, "GET", "/now")
    assert seen == [before]
