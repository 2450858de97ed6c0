"""What the caller is answered when a handler raises an error."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib.domain.errors import Conflict, FieldError, InvalidFields, Unavailable
from chalicelib.http.answer import Answer
from chalicelib.http.api import Api
from chalicelib.http.request import Request
from tests.http.small_api import call


def raising(app: Api, error: Callable[[], BaseException]) -> Api:
    @app.get("/raise", role=None)
    def fail(request: Request) -> Answer:
        raise error()

    return app


def test_a_known_error_becomes_an_envelope_with_its_headers(app: Api) -> None:
    """Code, data and headers come from the error tree."""
    raising(app, lambda: Unavailable("AWS is throttling.", retry_after=7))
    status, envelope, headers = call(app, "GET", "/raise")
    assert (status, envelope) == (
        503,
        {"status": "error", "message": "AWS is throttling.", "code": "unavailable", "data": None},
    )
    assert headers["Retry-After"] == "7"


def test_invalid_fields_and_conflicts_carry_their_data_and_code(app: Api) -> None:
    """Both have the same envelope."""
    errors = iter([InvalidFields([FieldError("a", "b")]), Conflict("x", code="job_name_taken")])
    raising(app, lambda: next(errors))
    assert call(app, "GET", "/raise")[1]["data"] == {"errors": [{"field": "a", "message": "b"}]}
    assert call(app, "GET", "/raise")[1]["code"] == "job_name_taken"


def test_a_defect_is_a_500_that_says_nothing_and_a_log_line_that_says_where(
    app: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller gets no stack trace; the log has it."""
    raising(app, lambda: KeyError("secret detail"))
    status, envelope, _ = call(app, "GET", "/raise")
    assert (status, envelope["code"], envelope["data"]) == (500, "internal", None)
    assert "secret" not in json.dumps(envelope)
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["level"], first["exception"], first["resource"]) == (
        "error",
        "KeyError",
        "/raise",
    )
    assert any("test_error_answers.py" in frame for frame in first["stack"])
    assert (last["message"], last["status"]) == ("request", 500)


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "RunTask"),
        ClientError({"Error": {"Code": "InternalServerError", "Message": ""}}, "X"),
        EndpointConnectionError(endpoint_url="http://x"),
    ],
)
def test_unavailable_or_throttling_aws_is_a_503_on_every_route(app: Api, error: Exception) -> None:
    """503 tells the caller that trying again helps."""
    raising(app, lambda: error)
    status, envelope, headers = call(app, "GET", "/raise")
    assert (status, envelope["code"]) == (503, "unavailable")
    assert int(headers["Retry-After"]) > 0
