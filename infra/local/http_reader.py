"""
Reads one HTTP/1.x request from a connection, and refuses what RFC 9112 does not allow.

Python's own server is lenient where a request is malformed: it takes a header line without a
colon for the end of the headers, and answers in HTML. Here each fault is a `Refused` with the
status and the words of its answer, and nothing is read without a limit of size and of time.
"""

from __future__ import annotations

import io
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LINE_LIMIT = 65_536
"""Bytes of the request line, and of all header lines together."""
HEADERS_LIMIT = 100
CHUNK_LINE_LIMIT = 1_024
EMPTY_LINES = 4
"""Before a request line; a client may send one after an earlier body (RFC 9112, 2.2)."""

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(rb"(%s) ([\x21-\x7e\x80-\xff]+) HTTP/([0-9]+)\.([0-9]+)" % TOKEN)
HEADER = re.compile(rb"(%s):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*" % TOKEN)
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(;[\t\x20-\x7e\x80-\xff]*)?")
HUGE = 15
"""Digits of a size that is over every limit."""


class Refused(Exception):
    """The request gets this answer and reaches no function."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, slots=True)
class Head:
    """Request line and headers."""

    method: str
    target: str
    """Path and query, beginning with one slash."""
    version: str
    """HTTP/1.0 or HTTP/1.1."""
    headers: HTTPMessage


class TimedConnection(io.RawIOBase):
    """Reads of a connection, all together at most so many seconds; then TimeoutError."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


def read_head(stream: io.BufferedReader) -> Head | None:
    """None for a connection on which nothing was sent. Raises Refused and TimeoutError."""
    if not (first := stream.peek(1)[:1]):
        return None
    if not re.match(rb"[\r\n]|%s" % TOKEN, first):
        raise _bad("This is no HTTP request; the port speaks HTTP without TLS.")
    line = b""
    for _ in range(EMPTY_LINES):
        if line := _line(stream, LINE_LIMIT, _uri_too_long()):
            break
    found = REQUEST_LINE.fullmatch(line)
    if found is None:
        raise _bad("The request line must be a method, a target and a version: GET / HTTP/1.1.")
    method, target, major, minor = (part.decode("latin-1") for part in found.groups())
    if major != "1":
        raise Refused(505, "http_version_not_supported", "Only HTTP/1.0 and HTTP/1.1 are spoken.")
    version = "HTTP/1.0" if int(minor[:HUGE]) == 0 else "HTTP/1.1"
    headers = read_headers(stream)
    hosts = headers.get_all("Host", [])
    if len(hosts) > 1 or (version == "HTTP/1.1" and not hosts):
        raise _bad("There must be one Host header.")
    return Head(method, _origin_form(target), version, headers)


def read_headers(stream: io.BufferedReader) -> HTTPMessage:
    """Header lines up to the empty line; also the trailers of a chunked body."""
    headers, left = HTTPMessage(), LINE_LIMIT
    while line := _line(stream, left, _headers_too_large()):
        left -= len(line)
        found = HEADER.fullmatch(line)
        if found is None:
            raise _bad("A header must be a name, a colon and a value on one line.")
        headers[found[1].decode("ascii")] = found[2].decode("latin-1")
        if len(headers) > HEADERS_LIMIT:
            raise _headers_too_large()
    return headers


def read_body(
    stream: io.BufferedReader, head: Head, limit: int, go_on: Callable[[], None]
) -> bytes:
    """
    The whole body, of at most `limit` bytes; `go_on` is called before it is waited for.

    Raises Refused and TimeoutError.
    """
    encodings = head.headers.get_all("Transfer-Encoding", [])
    lengths = head.headers.get_all("Content-Length", [])
    if encodings:
        if lengths or head.version == "HTTP/1.0":
            raise _bad("Transfer-Encoding needs HTTP/1.1 and no Content-Length.")
        if [encoding.lower() for encoding in encodings] != ["chunked"]:
            raise _bad("The only Transfer-Encoding that is taken is chunked.")
        go_on()
        return _read_chunks(stream, limit)
    if not lengths:
        return b""
    if len(lengths) > 1 or not re.fullmatch(r"[0-9]+", lengths[0], re.ASCII):
        raise _bad("Content-Length must be one number of bytes.")
    size = _size(lengths[0], 10, limit)
    go_on()
    return _exactly(stream, size)


def _read_chunks(stream: io.BufferedReader, limit: int) -> bytes:
    body = bytearray()
    while True:
        line = _line(stream, CHUNK_LINE_LIMIT, _bad("The line of a chunk's size is too long."))
        found = CHUNK_SIZE.fullmatch(line)
        if found is None:
            raise _bad("A chunk must begin with its size in hexadecimal digits.")
        size = _size(found[1].decode("ascii"), 16, limit - len(body))
        if size == 0:
            read_headers(stream)
            return bytes(body)
        body += _exactly(stream, size)
        if _line(stream, 2, _bad("A chunk is longer than its size.")):
            raise _bad("A chunk is longer than its size.")


def _size(digits: str, base: int, limit: int) -> int:
    digits = digits.lstrip("0") or "0"
    if len(digits) > HUGE or int(digits, base) > limit:
        raise Refused(413, "body_too_large", "The request is over API Gateway's limit of 10 MB.")
    return int(digits, base)


def _exactly(stream: io.BufferedReader, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise _bad("The body ended before its announced size.")
    return data


def _line(stream: io.BufferedReader, limit: int, too_long: Refused) -> bytes:
    """Without its end, which may be a bare LF (RFC 9112, 2.2)."""
    line = stream.readline(limit + 2)
    if not line.endswith(b"\n"):
        raise too_long if len(line) >= limit + 2 else _bad("The request ended in a line.")
    line = line[:-1].removesuffix(b"\r")
    if len(line) > limit:
        raise too_long
    return line


def _origin_form(target: str) -> str:
    """Path and query of a target that is a path or an absolute URL."""
    if target.startswith("/"):
        # Two slashes would be read as a host.
        return "/" + target.lstrip("/")
    try:
        url = urlsplit(target)
    except ValueError as error:
        raise _bad(f"The target is no valid URL: {error}.") from error
    if url.scheme not in ("http", "https") or not url.netloc:
        raise _bad("The target must be a path, or an absolute URL of http.")
    return "/" + url.path.lstrip("/") + (f"?{url.query}" if url.query else "")


def _bad(message: str) -> Refused:
    return Refused(400, "bad_request", message)


def _uri_too_long() -> Refused:
    return Refused(414, "uri_too_long", "The request line is over 64 KiB.")


def _headers_too_large() -> Refused:
    return Refused(431, "headers_too_large", "More than 100 headers, or over 64 KiB of them.")
