"""Web pages of other origins may call the API if the operator has named their origins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.yard import Answer, Yard

APP, OPS, OTHER = "https://app.example.com", "http://localhost:3000", "https://evil.example.com"
ASKS = {"Access-Control-Request-Method": "PATCH"}


@pytest.fixture
def allowing(yard: Yard) -> Callable[..., None]:
    def allow(*origins: str) -> None:
        yard.set_up(replace(yard.system.settings, allowed_origins=origins))

    return allow


def call(yard: Yard, origin: str | None, method: str = "GET", **more: Any) -> Answer:
    sent = {**({} if origin is None else {"Origin": origin}), **more.pop("headers", {})}
    return yard.call(method, more.pop("path", "/jobs"), headers=sent, **more)


def cors_of(answer: Answer) -> dict[str, str]:
    names = [name for name in answer.headers if name.startswith("Access-Control-")]
    return {name: answer.headers[name] for name in names}


def test_no_answer_has_a_cors_header_unless_an_origin_is_named(yard: Yard) -> None:
    """Not even a preflight: OPTIONS is a method that no path has."""
    asked = call(yard, APP, "OPTIONS", headers=ASKS)
    assert (asked.status, call(yard, APP).status) == (405, 200)
    for answer in (asked, call(yard, APP)):
        assert cors_of(answer) == {}
        assert "Vary" not in answer.headers


@pytest.mark.parametrize("origin", [APP, OPS])
def test_a_named_origin_may_read_an_answer(
    yard: Yard, allowing: Callable[..., None], origin: str
) -> None:
    """It is the only one that the answer names; the answer differs by origin, and caches know."""
    allowing(APP, OPS)
    answer = call(yard, origin)
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Vary"] == "Origin"
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"ETag", "Location", "Retry-After", "Idempotent-Replayed"} <= set(exposed)
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", [OTHER, "null", f"{APP}.evil.com", APP.upper(), None])
def test_another_origin_may_not(
    yard: Yard, allowing: Callable[..., None], origin: str | None
) -> None:
    """The request is answered, and the browser keeps the answer from the page."""
    allowing(APP)
    answer = call(yard, origin)
    assert answer.status == 200
    assert cors_of(answer) == {}
    assert answer.headers["Vary"] == "Origin"
    assert call(yard, origin, "OPTIONS", headers=ASKS).status == 405


def test_an_asterisk_allows_every_origin(yard: Yard, allowing: Callable[..., None]) -> None:
    """And then answers do not differ by origin."""
    allowing("*")
    answer = call(yard, OTHER)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in answer.headers


def test_a_preflight_is_answered_without_a_token_and_without_an_aws_call(
    yard: Yard, allowing: Callable[..., None]
) -> None:
    """It allows what the API's routes take."""
    allowing(APP)
    with yard.counting() as calls:
        answer = call(yard, APP, "OPTIONS", headers={**ASKS, "Authorization": ""})
    assert (answer.status, calls.counted) == (200, {})
    allowed = cors_of(answer)
    assert allowed["Access-Control-Allow-Origin"] == APP
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert method in allowed["Access-Control-Allow-Methods"].split(", ")
    for name in ("Authorization", "Content-Type", "Idempotency-Key", "If-Match"):
        assert name in allowed["Access-Control-Allow-Headers"].split(", ")
    assert int(allowed["Access-Control-Max-Age"]) > 0


def test_options_that_is_no_preflight_is_a_method_that_no_path_has(
    yard: Yard, allowing: Callable[..., None]
) -> None:
    """A browser's preflight always says which method it asks for."""
    allowing(APP)
    answer = call(yard, APP, "OPTIONS")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [("/jobs", "", 401), ("/nothing", None, 404), ("/jobs?", None, 404), ("/audit", None, 200)],
)
def test_a_page_may_read_errors_too(
    yard: Yard, allowing: Callable[..., None], path: str, token: str | None, status: int
) -> None:
    """It can tell its user what is wrong."""
    allowing(APP)
    headers = {} if token is None else {"Authorization": token}
    answer = call(yard, APP, path=path, headers=headers)
    assert answer.status == status
    assert answer.headers["Access-Control-Allow-Origin"] == APP


def test_a_page_may_read_that_it_met_a_defect(
    yard: Yard, allowing: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of last resort has the headers of every other one."""
    allowing(APP)
    monkeypatch.setattr(yard.system, "jobs", None)
    answer = call(yard, APP)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (500, APP)
