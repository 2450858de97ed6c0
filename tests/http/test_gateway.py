"""How events of API Gateway become requests, and answers become its responses."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.errors import BadRequest
from chalicelib.http import gateway_events
from chalicelib.http.answer import Answer

JOBS = "/workspaces/{workspace_id}/projects/{project_id}/jobs"
JOB = JOBS + "/{job_id}"
ROUTES = [JOB, JOBS, JOBS + "/{job_id}/logs", "/health"]
IDS = {"workspace_id": "acme", "project_id": "etl", "job_id": "job_1"}


def event(resource: str | None, **rest: Any) -> dict[str, Any]:
    return {"requestContext": {"resourcePath": resource, "httpMethod": "GET"}, **rest}


def test_a_route_that_api_gateway_matched_is_not_matched_again() -> None:
    """The path may begin with a base path of a custom domain; the resource does not."""
    sent = event(JOB, path="/base/workspaces/acme/projects/etl/jobs/job_1", pathParameters=IDS)
    assert gateway_events.match(sent, ROUTES) == (JOB, IDS)
    assert gateway_events.match(event("/health", path="/health", pathParameters=None), ROUTES) == (
        "/health",
        {},
    )


@pytest.mark.parametrize(
    "sent",
    [
        event("/{proxy+}", pathParameters={"proxy": "workspaces/acme/projects/etl/jobs/job_1"}),
        event("/{proxy+}", path="/workspaces/acme/projects/etl/jobs/job_1"),
        event("/{proxy+}", path="/workspaces/acme/projects/etl/jobs/job_1/"),
        event(JOB, path="/workspaces/acme/projects/etl/jobs/job_1"),
        {"resource": "/{proxy+}", "path": "/workspaces/acme/projects/etl/jobs/job_1"},
        {"requestContext": {"path": "/workspaces/acme/projects/etl/jobs/job_1"}},
    ],
)
def test_a_request_through_a_catch_all_path_is_matched_to_its_route(sent: dict[str, Any]) -> None:
    """The catch-all resource gets the paths and methods that no other resource has."""
    assert gateway_events.match(sent, ROUTES) == (JOB, IDS)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        "/health/x",
        "/Health",
        "/workspaces/acme/projects/etl",
        "/workspaces/acme/projects/etl/jobs/1/x",
    ],
)
def test_an_unknown_path_matches_nothing(path: str) -> None:
    """Upper and lower case differ, and every segment counts."""
    assert gateway_events.match(event("/{proxy+}", path=path), ROUTES) is None


def test_parameters_stay_as_they_were_sent() -> None:
    """No id needs decoding, and %2F must not become a slash."""
    path = "/workspaces/a%2Fb/projects/%23/jobs/job_%31"
    matched = gateway_events.match(event("/{proxy+}", path=path), ROUTES)
    assert matched == (JOB, {"workspace_id": "a%2Fb", "project_id": "%23", "job_id": "job_%31"})


def test_header_names_ignore_case_and_several_are_joined() -> None:
    """A request with two Authorization headers gets a text that is no valid token."""
    several = {"X-A": ["1"], "x-a": ["2"], "Authorization": ["Bearer a", "Bearer b"]}
    assert gateway_events.headers({"multiValueHeaders": several, "headers": {"X-B": "3"}}) == {
        "x-a": "1, 2",
        "authorization": "Bearer a, Bearer b",
    }
    assert gateway_events.headers({"headers": {"X-B": "3"}}) == {"x-b": "3"}
    assert gateway_events.headers({"headers": None}) == {}


def test_query_parameters_are_lists() -> None:
    """API Gateway sends None where there are no parameters."""
    several = {"tag": ["a", "b"], "limit": ["1"]}
    single = {"tag": "b", "limit": "1"}
    assert (
        gateway_events.parameters(
            {"multiValueQueryStringParameters": several, "queryStringParameters": single}
        )
        == several
    )
    assert gateway_events.parameters({"queryStringParameters": single}) == {
        "tag": ["b"],
        "limit": ["1"],
    }
    assert gateway_events.parameters({"multiValueQueryStringParameters": None}) == {}


def test_a_body_is_bytes_however_it_came() -> None:
    """
    API Gateway sends text, or base64 for binary media types; Chalice's local gateway sends bytes.
    """
    assert (
        gateway_events.body({})
        == gateway_events.body({"body": None})
        == gateway_events.body({"body": ""})
        == b""
    )
    assert gateway_events.body({"body": "é"}) == "é".encode()
    assert gateway_events.body({"body": b"\xff"}) == b"\xff"
    assert gateway_events.body({"body": "w6k=", "isBase64Encoded": True}) == "é".encode()
    assert gateway_events.body({"body": "\ud800"}) == b"\xed\xa0\x80"
    with pytest.raises(BadRequest):
        gateway_events.body({"body": "é", "isBase64Encoded": True})


def test_a_response_is_what_api_gateway_takes() -> None:
    """API Gateway answers 502 if a header's value is no string or has a line break."""
    answer = Answer(
        200, "ok", {"a": 1}, {"Location": "jobs/1\r\nSet-Cookie: x", "Retry-After": "5"}
    )
    response = gateway_events.response(answer, "r-1", {})
    assert response == {
        "statusCode": 200,
        "headers": {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": "r-1",
            "Location": "jobs/1Set-Cookie: x",
            "Retry-After": "5",
        },
        "multiValueHeaders": {},
        "body": '{"status":"success","message":"ok","data":{"a":1}}',
        "isBase64Encoded": False,
    }


def test_an_answer_over_lambdas_limit_raises_an_error_in_the_function() -> None:
    """Lambda's encoding doubles each quote: 1.6 million of them pass the 6 MB limit."""
    gateway_events.response(Answer(200, "ok", "x" * 5_000_000), "r-1", {})
    with pytest.raises(ValueError, match="too large"):
        gateway_events.response(Answer(200, "ok", '"' * 1_600_000), "r-1", {})
