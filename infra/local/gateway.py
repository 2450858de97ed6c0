"""
API Gateway on this machine: HTTP to Lambda proxy events and back (REST API, payload 1.0).

A path that is no route, and a method that a path lacks, go to the same function as deployed,
through the catch-all `/{proxy+}` and the any-method of each path.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from infra.local import LOOPBACK
from infra.local.lambda_context import Context

BODY_LIMIT = 10 * 1024 * 1024
"""API Gateway's limit of a request's payload."""
ANSWER_LIMIT = 6 * 1024 * 1024
"""Lambda's limit of an answer, as JSON."""
SECONDS = 29
"""API Gateway's integration time-out."""
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
            LOOPBACK, port, self._serve, threaded=True, request_handler=QuietHandler
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
        request = Request(environ)
        request.max_content_length = BODY_LIMIT
        try:
            response = self._answer(request)
        except RequestEntityTooLarge:
            message = "The request is over API Gateway's limit of 10 MB."
            response = _refusal(413, "body_too_large", message)
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
        return Response(data, status=raw["statusCode"], headers=headers)

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


class QuietHandler(WSGIRequestHandler):
    """HTTP/1.1, for chunked bodies and `Expect: 100-continue`; without a line per request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        log.debug("%s %s", self.requestline, code)


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
    return Response(json.dumps(envelope), status=status, content_type="application/json")
