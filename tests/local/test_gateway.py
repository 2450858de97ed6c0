"""The local gateway calls a function as API Gateway does, and sends its answer."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.local.gateway import ANSWER_LIMIT, BODY_LIMIT, Gateway

JOB = "/workspaces/{workspace_id}/jobs/{job_id}"


class Function:
    """Stores its event and returns the answer that the test sets."""

    def __init__(self) -> None:
        self.event: dict[str, Any] = {}
        self.context: Any = None
        self.answer: dict[str, Any] = {"statusCode": 200, "body": "{}"}

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        self.event, self.context = event, context
        return self.answer


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def gateway(function: Function) -> Iterator[Gateway]:
    gateway = Gateway(function, ["/health", JOB, f"{JOB}/runs"], port=0)
    yield gateway
    gateway.close()


def call(
    gateway: Gateway, method: str, path: str, body: Any = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    address = urlsplit(gateway.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body=body, headers=named)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response, data


def test_a_route_is_matched_and_its_parameters_stay_encoded(
    gateway: Gateway, function: Function
) -> None:
    """API Gateway leaves decoding to the function too."""
    call(gateway, "GET", "/workspaces/a%2Fb/jobs/job%201?x=1")
    event = function.event
    assert event["resource"] == event["requestContext"]["resourcePath"] == JOB
    assert event["path"] == "/workspaces/a%2Fb/jobs/job%201"
    assert event["pathParameters"] == {"workspace_id": "a%2Fb", "job_id": "job%201"}
    assert event["httpMethod"] == event["requestContext"]["httpMethod"] == "GET"


def test_query_and_headers_come_in_both_shapes(gateway: Gateway, function: Function) -> None:
    """Values are decoded; one map has the last value of each name, the other has all of them."""
    call(gateway, "GET", "/health?tag=a&tag=b%20c&empty=", X_Custom="yes")
    event = function.event
    assert event["queryStringParameters"] == {"tag": "b c", "empty": ""}
    assert event["multiValueQueryStringParameters"] == {"tag": ["a", "b c"], "empty": [""]}
    assert event["headers"]["X-Custom"] == "yes"
    assert event["multiValueHeaders"]["X-Custom"] == ["yes"]


def test_absent_parameters_headers_and_bodies_are_null(
    gateway: Gateway, function: Function
) -> None:
    """AWS sends null, not an empty object, where there is no query, parameter or body."""
    call(gateway, "GET", "/health")
    event = function.event
    for name in ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters"):
        assert event[name] is None
    assert event["body"] is None
    assert event["isBase64Encoded"] is False


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "TRACE"])
def test_any_method_of_a_path_reaches_the_function(
    gateway: Gateway, function: Function, method: str
) -> None:
    """The function's router answers 405."""
    call(gateway, method, "/health")
    assert (function.event["resource"], function.event["httpMethod"]) == ("/health", method)


@pytest.mark.parametrize("path", ["/nowhere", "/health/", "/workspaces/a/jobs/b/c/d"])
def test_an_unknown_path_goes_through_the_catch_all(
    gateway: Gateway, function: Function, path: str
) -> None:
    """The `proxy` parameter has the path."""
    call(gateway, "GET", path)
    assert function.event["resource"] == "/{proxy+}"
    assert function.event["pathParameters"] == {"proxy": path.removeprefix("/")}


def test_text_is_passed_as_it_is_and_bytes_in_base64(gateway: Gateway, function: Function) -> None:
    """JSON stays readable; bytes that are not UTF-8 cannot be a string."""
    call(gateway, "POST", "/health", '{"a": "é"}'.encode())
    assert (function.event["body"], function.event["isBase64Encoded"]) == ('{"a": "é"}', False)
    call(gateway, "POST", "/health", b"\xff\x00")
    assert function.event["isBase64Encoded"] is True
    assert base64.b64decode(function.event["body"]) == b"\xff\x00"


def test_a_chunked_body_is_read_whole(gateway: Gateway, function: Function) -> None:
    """Such a client does not know the length beforehand."""
    call(gateway, "POST", "/health", iter([b"one", b"two"]))
    assert function.event["body"] == "onetwo"


def test_status_headers_and_body_of_the_functions_answer_are_sent(
    gateway: Gateway, function: Function
) -> None:
    """The answer may have several headers of one name, and a body in base64."""
    function.answer = {
        "statusCode": 207,
        "headers": {"Location": "jobs/1"},
        "multiValueHeaders": {"X-Many": ["a", "b"]},
        "body": base64.b64encode(b"\xff").decode(),
        "isBase64Encoded": True,
    }
    response, data = call(gateway, "GET", "/health")
    assert (response.status, data) == (207, b"\xff")
    assert response.headers["Location"] == "jobs/1"
    assert response.headers.get_all("X-Many") == ["a", "b"]


def test_a_body_over_ten_megabytes_never_reaches_the_function(
    gateway: Gateway, function: Function
) -> None:
    """API Gateway answers 413 itself; here that answer is the API's own envelope."""
    response, data = call(gateway, "POST", "/health", b"x" * (BODY_LIMIT + 1))
    assert response.status == 413
    assert json.loads(data)["code"] == "body_too_large"
    assert function.event == {}


def test_an_answer_over_lambdas_limit_is_a_502(gateway: Gateway, function: Function) -> None:
    """The same happens on AWS, so a list must end before the limit."""
    function.answer = {"statusCode": 200, "body": "x" * ANSWER_LIMIT}
    response, _ = call(gateway, "GET", "/health")
    assert response.status == 502


def test_the_context_says_how_much_time_is_left(gateway: Gateway, function: Function) -> None:
    """The time is within API Gateway's 29 seconds."""
    call(gateway, "GET", "/health")
    assert 0 < function.context.get_remaining_time_in_millis() <= 29_000
    assert function.context.aws_request_id


def test_only_this_machine_is_listened_to(gateway: Gateway) -> None:
    """The gateway listens on the loopback address and on no other."""
    port = urlsplit(gateway.url).port
    assert urlsplit(gateway.url).hostname == "127.0.0.1"
    with socket.socket() as other, pytest.raises(OSError, match="refused"):
        other.connect(("127.0.0.2", port))
