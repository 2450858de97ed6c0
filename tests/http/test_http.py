"""How bodies, headers and queries are read, and how answers and cursors are written."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import BadRequest, InvalidFields, TooLarge, UnsupportedMediaType
from chalicelib.domain.job_spec import JobCreate, JobPatch, RunOverrides
from chalicelib.http import cursors
from chalicelib.http.answer import render
from chalicelib.http.cursors import decode_cursor, encode_cursor
from chalicelib.http.queries import ListJobs, ListRuns, LogsQuery, MetricsQuery, Query
from chalicelib.http.request import MAX_REQUEST_BODY, Request
from chalicelib.http.room import encoded_size
from chalicelib.settings import read_settings
from chalicelib.system import System
from chalicelib.usecases.idempotency import body_hash
from infra.local import provision
from tests.http.conftest import NOW, Clock

JOB = b'{"name": "nightly", "image": "python:3.13"}'
JSON = {"content-type": "application/json"}


def request(
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    parameters: dict[str, list[str]] | None = None,
) -> Request:
    return Request(
        method="POST",
        resource="/workspaces/{workspace_id}/projects/{project_id}/jobs",
        address="/workspaces/acme/projects/etl/jobs",
        headers=JSON if headers is None else headers,
        parameters=parameters or {},
        body=body,
        path={"workspace_id": "acme", "project_id": "etl"},
        now=NOW,
        request_id="r-1",
        system=System(read_settings(provision.settings(stage="test")), Clock()),
    )


def test_a_body_becomes_the_model_that_was_asked_for() -> None:
    """The model is validated for the workspace in the request's path."""
    assert request(JOB).parse(JobCreate).name == "nightly"
    assert request(JOB).project == "acme#etl"
    role = b"arn:aws:iam::123456789012:role/jobyard/test/acme/etl"
    body = JOB[:-1] + b', "task_role_arn": "%s"}'
    assert request(body % role).parse(JobCreate).task_role_arn == role.decode()
    with pytest.raises(InvalidFields):
        request(body % role.replace(b"acme", b"else")).parse(JobCreate)
    patch = request(b'{"task_role_arn": "x"}').parse(JobPatch)
    assert patch.changes == {"task_role_arn": "x"}
    assert patch.tenancy.workspace_id == "acme"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        " application/json ",
    ],
)
def test_every_spelling_of_the_json_content_type_in_utf_8_is_accepted(content_type: str) -> None:
    """Media types ignore case."""
    assert request(JOB, {"content-type": content_type}).parse(JobCreate).name == "nightly"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/merge-patch+json"},
        {"content-type": "application/jsonx"},
        {"content-type": "application/json, text/plain"},
        {"content-type": "application/json; charset=latin-1"},
        JSON | {"content-encoding": "gzip"},
    ],
)
def test_another_content_type_or_none_is_refused(headers: dict[str, str]) -> None:
    """The request gets 415 before its body is read."""
    with pytest.raises(UnsupportedMediaType):
        request(b"{", headers).parse(JobCreate)
    with pytest.raises(UnsupportedMediaType):
        request(JOB, headers).parse_optional(RunOverrides)


def test_a_body_of_over_256_kib_is_refused() -> None:
    """A body of exactly the limit is accepted."""
    room = MAX_REQUEST_BODY - len(b'{"x": ""}')
    with pytest.raises(InvalidFields):
        request(b'{"x": "' + b"a" * room + b'"}').parse(RunOverrides)
    with pytest.raises(TooLarge, match="256 KiB"):
        request(b'{"x": "' + b"a" * (room + 1) + b'"}').parse(RunOverrides)


def test_a_missing_body_is_refused_where_one_is_required() -> None:
    """A content type alone does not help."""
    with pytest.raises(BadRequest, match="required"):
        request().parse(JobCreate)
    with pytest.raises(BadRequest, match="required"):
        request(headers={}).parse(JobPatch)


def test_an_optional_body_may_be_absent_but_not_invalid() -> None:
    """
    A request without a body needs no content type; a body that is there is read like any other.
    """
    assert request(headers={}).parse_optional(RunOverrides) == RunOverrides()
    assert request(b"{}").parse_optional(RunOverrides) == RunOverrides()
    assert request(b'{"env": {"A": "1"}}').parse_optional(RunOverrides).env == {"A": "1"}
    for body in (b"null", b"[]", b'"x"'):
        with pytest.raises(InvalidFields):
            request(body).parse_optional(RunOverrides)
    for body in (b" ", b"{"):
        with pytest.raises(BadRequest):
            request(body).parse_optional(RunOverrides)


def test_query_parameters_become_the_model_that_was_asked_for() -> None:
    """Numbers are converted, and a parameter that may be repeated becomes a list."""
    jobs = request(parameters={"limit": ["10"], "tag": ["a", "team=b"]}).query(ListJobs)
    assert (jobs.limit, jobs.tag, jobs.cursor) == (10, ["a", "team=b"], None)
    assert request().query(ListJobs) == ListJobs()
    assert request(parameters={"status": ["failed"]}).query(ListRuns).status == "failed"
    assert request(parameters={"names": ["a,b"]}).query(MetricsQuery).names == ["a", "b"]
    assert request(parameters={"filter": ['"\n%[']}).query(LogsQuery).filter == '"\n%['


@pytest.mark.parametrize(
    ("model", "parameters", "names"),
    [
        (Query, {"x": [""]}, ["x is unknown"]),
        (ListJobs, {"Limit": ["1"]}, ["Limit is unknown; did you mean `limit`?"]),
        (ListJobs, {"limit": ["1", "2"]}, ["limit is there more than once"]),
        (ListJobs, {"limit": ["0"]}, ["limit must be at least 1"]),
        (ListJobs, {"limit": ["10001"]}, ["limit must be at most"]),
        (ListJobs, {"limit": ["9" * 5000]}, ["limit must be a whole number"]),
        (ListJobs, {"limit": [" 1"]}, ["limit must be a whole number"]),
        (ListJobs, {"limit": ["1_0"]}, ["limit must be a whole number"]),
        (ListJobs, {"limit": ["٣"]}, ["limit must be a whole number"]),
        (ListJobs, {"name": [""], "tag": ["a", "a b"]}, ["name must", "tag.1 must be 1 to 64"]),
        (ListJobs, {"tag": ["a"] * 21}, ["tag must have at most 20"]),
        (ListJobs, {"name": ["\ud800"]}, ["name"]),
        (ListRuns, {"status": ["done"], "trigger": ["x"]}, ["status must be", "trigger must be"]),
        (LogsQuery, {"since": ["soon"], "end": ["x"]}, ["since must be", "end must be"]),
        (LogsQuery, {"since": ["1h"], "start": ["1795435200"]}, ["start must not be given"]),
        (LogsQuery, {"filter": ["x" * 1023]}, ["filter must be at most 1,022"]),
        (LogsQuery, {"filter": ['"' * 512]}, ["filter must be at most 1,022"]),
        (LogsQuery, {"filter": [""], "cursor": [""]}, ["filter must", "cursor must"]),
        (MetricsQuery, {"names": ["cpu_usage,"]}, ["names.1 must have at least 1"]),
    ],
)
def test_every_wrong_query_parameter_is_named(
    model: type[Query], parameters: dict[str, list[str]], names: list[str]
) -> None:
    """One answer with 400 names them all."""
    with pytest.raises(BadRequest) as refused:
        request(parameters=parameters).query(model)
    for name in names:
        assert name in refused.value.message
    assert len(refused.value.message) < 500


@pytest.mark.parametrize("key", ["a", "x" * 255, "order 66: ~!", "0"])
def test_an_idempotency_key_is_printable_ascii(key: str) -> None:
    """A key has 1 to 255 characters, spaces included."""
    assert request(headers={"idempotency-key": key}).idempotency_key == key


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\tb", "a\x7f", "a\n"])
def test_any_other_idempotency_key_is_refused(key: str) -> None:
    """Ignoring such a key would let a repeated request do the thing twice."""
    with pytest.raises(BadRequest, match="Idempotency-Key"):
        _ = request(headers={"idempotency-key": key}).idempotency_key


def test_a_request_without_an_idempotency_key_has_none() -> None:
    assert request().idempotency_key is None


TEXT = st.text(st.characters(exclude_categories=[]), max_size=50)


@given(st.dictionaries(TEXT, TEXT | st.integers() | st.none() | st.lists(TEXT)))
def test_the_size_of_an_answer_counts_lambdas_encoding(data: dict[str, Any]) -> None:
    """Lambda encodes the body as JSON once more, and its older encoder escapes all but ASCII."""
    body = render(data)
    assert encoded_size(data) == len(json.dumps(body).encode()) - len('""')
    assert encoded_size(data) >= len(json.dumps(body, ensure_ascii=False).encode()) - 2


def test_an_answer_is_always_utf_8_and_json() -> None:
    """
    Half a surrogate pair, as in a log line, is replaced; a number that JSON lacks raises an error.
    """
    assert json.loads(render({"a": "x\ud800é"}).encode()) == {"a": "x?é"}
    with pytest.raises(ValueError, match="JSON compliant"):
        render({"a": float("nan")})


def test_equal_bodies_have_equal_hashes_and_different_bodies_do_not() -> None:
    """The order of fields and defaults that are written out do not matter; any other value does."""
    first = body_hash(request(JOB).parse(JobCreate))
    same = b'{"image": "python:3.13", "env": {}, "cpu": 0.25, "command": null, "name": "nightly"}'
    other = JOB.replace(b"3.13", b"3.12")
    assert body_hash(request(same).parse(JobCreate)) == first
    assert body_hash(request(other).parse(JobCreate)) != first
    env = [
        b'{"env": {"A": "1", "B": "2"}}',
        b'{"env": {"B": "2", "A": "1"}}',
        b'{"env": {"A": "1"}}',
    ]
    hashes = [body_hash(request(body).parse(RunOverrides)) for body in env]
    assert hashes[0] == hashes[1] != hashes[2]


@given(
    TEXT,
    TEXT,
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 10**15)),
)
def test_a_cursor_leads_back_into_its_own_list(
    kind: str, scope: str, payload: dict[str, Any]
) -> None:
    """A cursor needs no escaping in a URL, and no other list accepts it."""
    kind = kind.encode("utf-8", "replace").decode()
    scope = scope.encode("utf-8", "replace").decode()
    cursor = encode_cursor(kind, scope, payload)
    assert cursor.isascii() and all(char.isalnum() or char in "-_" for char in cursor)
    assert decode_cursor(kind, scope, cursor) == payload
    for other in ((kind + "x", scope), (kind, scope + "x")):
        with pytest.raises(BadRequest):
            decode_cursor(*other, cursor)


PAYLOADS: list[Any] = [[], None, "x", float("nan")]


def _encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "%%%",
        "a" * 8000,
        "ä",
        "\ud800",
        "e30",
        _encoded([]),
        _encoded(["runs"]),
        _encoded({"a": 1}),
    ]
    + [_encoded(["runs", cursors._scope_hash("job_1"), payload]) for payload in PAYLOADS],
)
def test_text_that_is_not_a_cursor_is_refused(text: str) -> None:
    """The message tells the caller to start again."""
    with pytest.raises(BadRequest, match="start again"):
        decode_cursor("runs", "job_1", text)


@given(st.text())
def test_reading_any_text_as_a_cursor_gives_a_cursor_or_a_refusal(text: str) -> None:
    """A caller may send any text as a cursor."""
    with pytest.raises(BadRequest):
        decode_cursor("runs", "job_1", text)


@pytest.mark.parametrize(
    "payload", [{}, {"before": ""}, {"before": None}, {"before": "job_1\n"}, {"after": "job_1"}]
)
def test_a_cursor_s_content_is_checked_like_any_input(payload: dict[str, Any]) -> None:
    """Cursors are not signed, so the position in a forged one must have the form of an id."""
    form = re.compile("job_[0-9]")
    genuine = encode_cursor("jobs", "acme#etl", {"before": "job_1"})
    assert decode_cursor("jobs", "acme#etl", genuine, before=form) == {"before": "job_1"}
    forged = encode_cursor("jobs", "acme#etl", payload)
    with pytest.raises(BadRequest, match="start again"):
        decode_cursor("jobs", "acme#etl", forged, before=form)
