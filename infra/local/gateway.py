"""
API Gateway on this machine: HTTP to Lambda proxy events and back (REST API, payload 1.0).

A path that is no route, and a method that a path lacks, go to the same function as deployed,
through the catch-all `/{proxy+}` and the any-method of each path.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import logging
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from infra.local import LOOPBACK, http_reader
from infra.local.lambda_context import Context

BODY_LIMIT = 10 * 1024 * 1024
"""API Gateway's limit of a request's payload."""
ANSWER_LIMIT = 6 * 1024 * 1024
"""Lambda's limit of an answer, as JSON."""
SECONDS = 29
"""API Gateway's integration time-out."""
MINIMUM_COMPRESSION_SIZE = 1024
"""Bytes, as in infra/stack.yaml."""
STAGE = "local"
STOP_CHECK = 0.1
"""Seconds until a server that was asked to stop has noticed."""

Event = dict[str, Any]
Function = Callable[[Event, Context], dict[str, Any]]

log = logging.getLogger(__name__)


class Gateway:
    """Serves a function's routes on a loopback port, from a thread of its own."""

    def __init__(self, function: Function, routes: Iterable[str], port: int) -> None:
        """`port` 0 takes a free one. Raises OSError where the port is taken."""
        self._function = function
        self._routes = [(route, _pattern(route)) for route in routes]
        self._server: BaseWSGIServer = make_server(
            LOOPBACK, port, self._serve, threaded=True, request_handler=Handler
        )
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(STOP_CHECK,), name="gateway", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Take no more requests."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Any:
        try:
            response = self._answer(Request(environ))
        except Exception:
            log.exception("the function failed, or its answer is none")
            response = _refusal(502, "internal", "The function failed; .local/log says how.")
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        raw = self._function(self.event(request), Context(SECONDS))
        if len(json.dumps(raw)) > ANSWER_LIMIT:
            log.error("an answer of %s is over Lambda's limit of 6 MB", request.path)
            return _refusal(502, "internal", "The answer is over Lambda's limit of 6 MB.")
        body = raw.get("body") or ""
        data = base64.b64decode(body) if raw.get("isBase64Encoded") else body.encode()
        headers = list((raw.get("headers") or {}).items())
        for name, values in (raw.get("multiValueHeaders") or {}).items():
            headers += [(name, value) for value in values]
        response = Response(data, status=raw["statusCode"], headers=headers)
        if len(data) >= MINIMUM_COMPRESSION_SIZE and request.accept_encodings["gzip"]:
            response.set_data(gzip.compress(data, compresslevel=1, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
        return response

    def event(self, request: Request) -> Event:
        """What API Gateway would hand to the function; path parameters stay percent-encoded."""
        path = urlsplit(request.environ["REQUEST_URI"]).path or "/"
        resource, parameters = self._match(path)
        body, is_base64 = _body(request.get_data())
        headers = _multi(request.headers.items())
        query = _multi(request.args.items(multi=True))
        return {
            "resource": resource,
            "path": path,
            "httpMethod": request.method,
            "headers": {name: values[-1] for name, values in headers.items()},
            "multiValueHeaders": headers,
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": parameters or None,
            "stageVariables": None,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "local",
                "httpMethod": request.method,
                "identity": {
                    "sourceIp": request.remote_addr,
                    "userAgent": request.headers.get("User-Agent"),
                },
                "path": f"/{STAGE}{path}",
                "protocol": request.environ["SERVER_PROTOCOL"],
                "requestId": str(uuid.uuid4()),
                "resourcePath": resource,
                "stage": STAGE,
            },
            "body": body,
            "isBase64Encoded": is_base64,
        }

    def _match(self, path: str) -> tuple[str, dict[str, str]]:
        for route, pattern in self._routes:
            if found := pattern.fullmatch(path):
                return route, found.groupdict()
        if path == "/":
            return "/", {}
        return "/{proxy+}", {"proxy": path.removeprefix("/")}


class Handler(WSGIRequestHandler):
    """
    One request a connection. Whatever is wrong with it is answered in the API's envelope.

    Python's and werkzeug's own answers to malformed requests are HTML, or a closed connection.
    """

    protocol_version = "HTTP/1.1"
    seconds = 20.0
    """For a client to send its request."""
    linger = 5.0
    """For it to read the answer, if it sends more than was read: a close would discard both."""

    def setup(self) -> None:
        super().setup()
        timed = http_reader.TimedConnection(self.connection, self.seconds)
        self._reader: io.BufferedReader = io.BufferedReader(timed)

    def handle_one_request(self) -> None:
        self.close_connection = True
        self.command, self.request_version, self.requestline = "", "HTTP/1.1", ""
        try:
            head = http_reader.read_head(self._reader)
            if head is None:
                return
            self.command, self.path, self.request_version = head.method, head.target, head.version
            self.headers = head.headers
            body = http_reader.read_body(self._reader, head, BODY_LIMIT, self._go_on)
        except http_reader.Refused as refused:
            self._refuse(refused.status, refused.code, refused.message)
            return
        except TimeoutError:
            message = f"The request did not arrive within {self.seconds:.0f} seconds."
            self._refuse(408, "request_timeout", message)
            return
        self._replace_body(body)
        self.connection.settimeout(self.seconds)
        self.run_wsgi()

    def finish(self) -> None:
        """Take what the client still sends, so that it is not reset before it has read."""
        super().finish()
        deadline = time.monotonic() + self.linger
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self.connection.settimeout(left)
                if not self.connection.recv(1 << 16):
                    break

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        log.debug("%s %s", self.requestline, code)

    def _go_on(self) -> None:
        """Before a body is waited for."""
        expected = self.headers.get("Expect", "").strip().lower()
        if expected == "100-continue" and self.request_version == "HTTP/1.1":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _replace_body(self, body: bytes) -> None:
        """Let werkzeug read what was read already, as a body of known length."""
        self.rfile = io.BytesIO(body)
        for name in ("Expect", "Transfer-Encoding"):
            del self.headers[name]
        if body and "Content-Length" not in self.headers:
            self.headers["Content-Length"] = str(len(body))

    def _refuse(self, status: int, code: str, message: str) -> None:
        answer = _refusal(status, code, message)
        self.connection.settimeout(self.seconds)
        self.send_response(status)
        for name, value in [*answer.headers, ("Connection", "close")]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.get_data())


def _pattern(route: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", route)
    return re.compile(
        "".join(
            f"(?P<{part}>[^/]+)" if is_name else re.escape(part)
            for part, is_name in zip(parts, [False, True] * len(parts), strict=False)
        )
    )


def _body(data: bytes) -> tuple[str | None, bool]:
    """API Gateway passes text as it is and base64 of what is not text."""
    if not data:
        return None, False
    try:
        return data.decode("utf-8"), False
    except UnicodeDecodeError:
        return base64.b64encode(data).decode("ascii"), True


def _multi(items: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in items:
        values.setdefault(name, []).append(value)
    return values


def _refusal(status: int, code: str, message: str) -> Response:
    envelope = {"status": "error", "message": message, "code": code, "data": None}
    response = Response(json.dumps(envelope), status=status, content_type="application/json")
    if os.environ.get("JOBYARD_ALLOWED_ORIGINS"):  # as the stack's GatewayResponses do
        response.headers["Access-Control-Allow-Origin"] = "*"
    return response
