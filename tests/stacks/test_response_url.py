"""Answers are sent to CloudFormation's buckets only, and are sent again after a failure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

import app
from chalicelib.cloud.response_url import ResponseUrl
from chalicelib.domain.errors import BadRequest, Unavailable
from tests.stacks.events import stack_event
from tests.stacks.response_server import ResponseServer, response_server
from tests.yard import Context, Yard


@pytest.fixture
def server() -> Iterator[ResponseServer]:
    with response_server() as made:
        yield made


def made(yard: Yard, endpoint: str | None = None) -> ResponseUrl:
    return ResponseUrl(replace(yard.system.settings, aws_endpoint=endpoint), yard.clock)


@pytest.mark.parametrize(
    "url",
    [
        "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/arn%3Aaws?X=1",
        "https://cloudformation-custom-resource-response-euwest3.s3.eu-west-3.amazonaws.com/a",
        "https://cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com/a",
        "https://cloudformation-custom-resource-response-cnnorth1.s3.cn-north-1.amazonaws.com.cn/a",
    ],
)
def test_cloudformations_buckets_are_written_to(yard: Yard, url: str) -> None:
    """Each region has its own bucket."""
    made(yard).check(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/a",
        "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com:8443/a",
        "https://me@cloudformation-custom-resource-response-useast1.s3.amazonaws.com/a",
        "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com.evil.test/a",
        "https://evil.test/cloudformation-custom-resource-response-useast1.s3.amazonaws.com",
        "https://cloudformation-custom-resource-response-x.evil.test#.s3.amazonaws.com/a",
        "https://mine.s3.amazonaws.com/a",
        "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://[::1]/a",
    ],
)
def test_no_other_url_is_written_to(yard: Yard, url: str) -> None:
    """The caller of the function chooses the URL; for another URL no job is created either."""
    with pytest.raises(BadRequest):
        made(yard).put(url, b"{}")
    event = stack_event("Create", url=url)
    assert app.job_resource(event, Context()) == {"status": "refused"}
    assert yard.call("GET", "/jobs").data["jobs"] == []


def test_the_endpoint_that_the_sdks_are_told_is_awss_too(
    yard: Yard, server: ResponseServer
) -> None:
    """The CloudFormation of an emulator takes answers there, and at no other port."""
    made(yard, server.url).put(server.url, b'{"Status": "SUCCESS"}')
    assert server.bodies == [b'{"Status": "SUCCESS"}']
    with pytest.raises(BadRequest):
        made(yard, "http://127.0.0.1:1").put(server.url, b"{}")


def test_a_bucket_that_fails_or_cuts_off_is_asked_again(yard: Yard, server: ResponseServer) -> None:
    """Without the answer CloudFormation would wait for an hour."""
    server.answers = [503, 0]
    made(yard, server.url).put(server.url, b"1")
    assert server.bodies == [b"1"] * 3


def test_a_url_that_has_expired_is_given_up(yard: Yard, server: ResponseServer) -> None:
    """Another try cannot succeed, and CloudFormation no longer waits."""
    server.answers = [403]
    with pytest.raises(BadRequest, match="403"):
        made(yard, server.url).put(server.url, b"1")
    assert len(server.bodies) == 1


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_is_not_followed(yard: Yard, server: ResponseServer, status: int) -> None:
    """A redirect could lead to any host."""
    server.answers = [status]
    with pytest.raises(BadRequest, match=str(status)):
        made(yard, server.url).put(server.url, b"1")
    assert len(server.bodies) == 1


def test_a_proxy_of_the_environment_is_not_used(
    yard: Yard, server: ResponseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer would go to the proxy instead of CloudFormation."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    made(yard, server.url).put(server.url, b"1")
    assert server.bodies == [b"1"]


def test_an_answer_that_does_not_get_out_is_an_error_so_that_the_event_comes_again(
    yard: Yard, server: ResponseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tries end within a limited time; Lambda then delivers the event again."""
    spent: list[float] = []
    monkeypatch.setattr(yard.clock, "sleep", spent.append)
    monkeypatch.setattr(yard.clock, "monotonic", lambda: sum(spent), raising=False)
    server.answers = [500] * 1_000
    yard.set_up(replace(yard.system.settings, aws_endpoint=server.url))
    with pytest.raises(Unavailable):
        app.job_resource(stack_event("Create", url=server.url), Context())
    assert 10 < sum(spent) < 25
    server.answers = []
    app.job_resource(stack_event("Create", url=server.url), Context())
    assert server.last["Status"] == "SUCCESS"
    assert len(yard.call("GET", "/jobs").data["jobs"]) == 1
