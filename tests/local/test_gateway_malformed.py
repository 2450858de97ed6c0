"""Whatever a client sends, the local gateway answers with the API's envelope, and soon."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.gateway import BODY_LIMIT, Gateway, Handler

HOST = b"Host: localhost\r\n"
ENVELOPE = {"status": "success", "message": "ok", "data": None}


def function(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answers with the number of characters in the body."""
    if event["path"] == "/fails":
        raise RuntimeError("on purpose")
    if event["path"] == "/no-answer":
        return {}
    data = {"size": len(event["body"] or "")}
    return {"statusCode": 200, "body": json.dumps({**ENVELOPE, "data": data})}


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    gateway = Gateway(function, ["/health"], port=0)
    url = urlsplit(gateway.url)
    yield str(url.hostname), int(url.port or 0)
    gateway.close()


def exchange(
    address: tuple[str, int], request: bytes, *, closes: bool = True, seconds: float = 15
) -> bytes:
    """
    Send the request and return the whole answer; `closes` closes the client's side after sending.
    """
    with socket.create_connection(address, timeout=seconds) as client:
        client.sendall(request)
        if closes:
            client.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := client.recv(1 << 16):
            answer += piece
        return answer


def parse(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Status and envelope of the only answer, without an interim 100 before it."""
    answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    protocol, status, _ = first.split(b" ", 2)
    assert protocol == b"HTTP/1.1"
    named = {name.lower(): value for name, _, value in (h.partition(b": ") for h in headers)}
    assert named[b"connection"] == b"close"
    assert int(named[b"content-length"]) == len(body)
    envelope = json.loads(body)
    assert set(envelope) >= {"status", "message", "data"}
    assert (envelope["status"] == "success") == (int(status) < 400)
    assert ("code" in envelope) == (int(status) >= 400)
    return int(status), envelope


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST /health HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"
MALFORMED = {
    "no version": (b"GET /health\r\n\r\n", 400),
    "only a method": (b"GET\r\n\r\n", 400),
    "four words": (b"GET / HTTP/1.1 x\r\n" + HOST + b"\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a version in small letters": (b"GET / http/1.1\r\n" + HOST + b"\r\n", 400),
    "a version without a point": (b"GET / HTTP/1\r\n" + HOST + b"\r\n", 400),
    "a version with a word": (b"GET / HTTP/a.b\r\n" + HOST + b"\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/9.9": (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 505),
    "HTTP/0.9": (b"GET / HTTP/0.9\r\n" + HOST + b"\r\n", 505),
    "a huge version": (b"GET / HTTP/" + b"9" * 5000 + b".1\r\n" + HOST + b"\r\n", 505),
    "a huge minor version": (b"GET / HTTP/1." + b"9" * 5000 + b"\r\n" + HOST + b"\r\n", 200),
    "a method with a control character": (b"G\x00T / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a target with a control character": (b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "an open bracket": (b"GET http://[ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a bad IPv6 address": (b"GET http://[::zz]/health HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "another scheme": (b"GET ftp://host/health HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no host in the URL": (b"GET http:///health HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "an authority": (b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "an asterisk": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a relative path": (b"GET health HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a long target": (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a long line without an end": (b"GET /" + b"x" * 200_000, 414),
    "a long method": (b"G" * 70_000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a long header": (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"x" * 70_000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 101 + b"\r\n", 431),
    "much of headers": (b"GET / HTTP/1.1\r\n" + HOST + (b"A: " + b"x" * 999 + b"\r\n") * 90, 431),
    "a header without a colon": (b"GET / HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n", 400),
    "a header without a name": (b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\n" + HOST + b"A : x\r\n\r\n", 400),
    "a folded header": (b"GET / HTTP/1.1\r\n" + HOST + b"A: x\r\n y\r\n\r\n", 400),
    "a header with a zero byte": (b"GET / HTTP/1.1\r\n" + HOST + b"A: \x00\r\n\r\n", 400),
    "a header with a bare CR": (b"GET / HTTP/1.1\r\n" + HOST + b"A: x\ry\r\n\r\n", 400),
    "no Host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET /health HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x8a" * 500, 400),
    "an end within the request line": (b"GET /hea", 400),
    "an end within the headers": (b"GET /health HTTP/1.1\r\n" + HOST, 400),
    "an end after an empty line": (b"\r\n", 400),
    "many empty lines": (b"\r\n" * 10 + b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "an end within the body": (post(b"Content-Length: 10\r\n", b"abc"), 400),
    "a negative length": (post(b"Content-Length: -1\r\n"), 400),
    "a length with a sign": (post(b"Content-Length: +3\r\n", b"abc"), 400),
    "a length with an underscore": (post(b"Content-Length: 1_0\r\n", b"0123456789"), 400),
    "a length in hexadecimal": (post(b"Content-Length: 0x3\r\n", b"abc"), 400),
    "a length that is a word": (post(b"Content-Length: many\r\n", b"abc"), 400),
    "an empty length": (post(b"Content-Length: \r\n", b"abc"), 400),
    "a length in other digits": (post(b"Content-Length: \xb2\r\n", b"ab"), 400),
    "two lengths": (post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"), 400),
    "a list of lengths": (post(b"Content-Length: 3, 3\r\n", b"abc"), 400),
    "a length over the limit": (post(b"Content-Length: %d\r\n" % (BODY_LIMIT + 1)), 413),
    "a length of many digits": (post(b"Content-Length: " + b"9" * 5000 + b"\r\n"), 413),
    "a length and chunks": (post(b"Content-Length: 3\r\n" + CHUNKED, b"0\r\n\r\n"), 400),
    "an unknown encoding": (post(b"Transfer-Encoding: gzip\r\n", b"abc"), 400),
    "two encodings": (post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), 400),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\n" + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "a chunk size that is a word": (post(CHUNKED, b"zz\r\nabc\r\n0\r\n\r\n"), 400),
    "an empty chunk size": (post(CHUNKED, b"\r\nabc\r\n0\r\n\r\n"), 400),
    "a negative chunk size": (post(CHUNKED, b"-3\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk size with a prefix": (post(CHUNKED, b"0x3\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk shorter than its size": (post(CHUNKED, b"9\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk longer than its size": (post(CHUNKED, b"2\r\nabcdef\r\n0\r\n\r\n"), 400),
    "an end within a chunk": (post(CHUNKED, b"9\r\nabc"), 400),
    "an end before the last chunk": (post(CHUNKED, b"3\r\nabc\r\n"), 400),
    "an end within the trailers": (post(CHUNKED, b"3\r\nabc\r\n0\r\n"), 400),
    "a bad trailer": (post(CHUNKED, b"3\r\nabc\r\n0\r\nnonsense\r\n\r\n"), 400),
    "a huge chunk": (post(CHUNKED, b"fffffff\r\nabc"), 413),
    "a chunk of many digits": (post(CHUNKED, b"f" * 900 + b"\r\nabc"), 413),
    "a long chunk line": (post(CHUNKED, b"3;" + b"x" * 5000 + b"\r\nabc\r\n0\r\n\r\n"), 400),
    "many trailers": (post(CHUNKED, b"0\r\n" + b"A: b\r\n" * 200 + b"\r\n"), 431),
    "a function that fails": (b"GET /fails HTTP/1.1\r\n" + HOST + b"\r\n", 502),
    "a function without an answer": (b"GET /no-answer HTTP/1.1\r\n" + HOST + b"\r\n", 502),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_answered_with_its_status_and_the_envelope(
    address: tuple[str, int], name: str
) -> None:
    """There is one answer in JSON, and then the connection closes."""
    request, status = MALFORMED[name]
    assert parse(exchange(address, request))[0] == status


WELL_FORMED = {
    "HTTP/1.0": (b"GET /health HTTP/1.0\r\n\r\n", 0),
    "an empty line before": (b"\r\nGET /health HTTP/1.1\r\n" + HOST + b"\r\n", 0),
    "bare line feeds": (b"GET /health HTTP/1.1\nHost: x\n\n", 0),
    "an absolute URL": (b"GET http://x:1/health?a=b HTTP/1.1\r\n" + HOST + b"\r\n", 0),
    "two slashes": (b"GET //health HTTP/1.1\r\n" + HOST + b"\r\n", 0),
    "bytes in the target": (b"GET /h\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n", 0),
    "a broken escape": (b"GET /%zz%?%=%f HTTP/1.1\r\n" + HOST + b"\r\n", 0),
    "a length with zeros": (post(b"Content-Length: 0003\r\n", b"abc"), 3),
    "more than the length": (post(b"Content-Length: 3\r\n", b"abc" + b"x" * 500_000), 3),
    "a second request": (post(b"Content-Length: 3\r\n", b"abc") + post(b""), 3),
    "chunks": (post(CHUNKED, b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\n"), 13),
    "chunks in capitals": (post(b"transfer-encoding: Chunked\r\n", b"1\r\na\r\n0\r\n\r\n"), 1),
    "an expectation": (post(b"Expect: 100-continue\r\nContent-Length: 3\r\n", b"abc"), 3),
    "another expectation": (post(b"Expect: miracles\r\nContent-Length: 3\r\n", b"abc"), 3),
}


@pytest.mark.parametrize("name", WELL_FORMED)
@pytest.mark.parametrize("closes", [True, False])
def test_an_unusual_request_that_is_allowed_reaches_the_function(
    address: tuple[str, int], name: str, closes: bool
) -> None:
    """Its body arrives, whether or not the client has closed its side of the connection."""
    request, size = WELL_FORMED[name]
    status, envelope = parse(exchange(address, request, closes=closes))
    assert (status, envelope["data"]) == (200, {"size": size})


def test_a_head_request_that_is_refused_has_no_body(address: tuple[str, int]) -> None:
    """The answer has only headers."""
    answer = exchange(address, b"HEAD /health HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "request_",
    [b"GET /hea", b"GET /health HTTP/1.1\r\nA: b\r\n", post(b"Content-Length: 9\r\n", b"a")],
)
def test_a_request_that_does_not_end_is_answered_after_a_while(
    address: tuple[str, int], request_: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client keeps its side open and sends nothing more."""
    monkeypatch.setattr(Handler, "seconds", 1.0)
    began = time.monotonic()
    assert parse(exchange(address, request_, closes=False))[0] == 408
    assert time.monotonic() - began >= 1


def test_a_request_that_comes_byte_by_byte_has_the_same_time_limit(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time limit is for the whole request, not for each byte of it."""
    monkeypatch.setattr(Handler, "seconds", 1.0)
    began = time.monotonic()
    with socket.create_connection(address, timeout=15) as client:
        client.sendall(b"GET /")
        client.settimeout(0.1)
        answer = b""
        while not answer and time.monotonic() - began < 10:
            client.sendall(b"x")
            try:
                answer = client.recv(1 << 16)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_connection_without_a_request_is_closed(address: tuple[str, int]) -> None:
    """Browsers open connections in advance and may send nothing."""
    assert exchange(address, b"") == b""


VALID = post(CHUNKED, b"3\r\nabc\r\n0\r\n\r\n")
cut = st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), st.binary(max_size=12))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(cut, min_size=1, max_size=4))
def test_any_damage_to_a_request_is_answered_in_the_envelope(
    address: tuple[str, int], cuts: list[tuple[int, int, bytes]]
) -> None:
    """
    Bytes are removed, inserted and replaced; the answer is 200 or a refusal, never silence or HTML.
    """
    request = VALID
    for at, length, more in cuts:
        request = request[:at] + more + request[at + length :]
    if request:
        assert parse(exchange(address, request))[0] in (200, 400, 413, 414, 431, 502, 505)
