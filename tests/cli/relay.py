"""An HTTP relay in front of the API that can lose answers, refuse requests and be restarted."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3

HOP = frozenset({"connection", "transfer-encoding", "content-length", "host", "server", "date"})


@dataclass(frozen=True)
class Seen:
    """A request that the relay received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer; with `is_lost` the connection closes before all of it is sent."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    is_lost: bool = False


Fault = Callable[[Seen, Callable[[], Reply]], Reply]
"""A function that answers a request; its second argument passes the request on to the API."""


def unavailable(retry_after: str | None = "1") -> Fault:
    """Answer 503 without passing the request on."""
    headers = (("Retry-After", retry_after),) if retry_after is not None else ()
    body = b'{"status":"error","message":"AWS throttles.","code":"unavailable","data":null}'
    return lambda seen, pass_on: Reply(503, body, headers)


def lost(seen: Seen, pass_on: Callable[[], Reply]) -> Reply:
    """Pass the request on and lose the answer."""
    answer = pass_on()
    return Reply(answer.status, answer.body, answer.headers, is_lost=True)


def without_schedule(seen: Seen, pass_on: Callable[[], Reply]) -> Reply:
    """Answer as a stage that is older than GET /schedule."""
    if "/schedule?" not in seen.path:
        return pass_on()
    body = b'{"status":"error","message":"Nothing is here.","code":"not_found","data":null}'
    return Reply(404, body)


class Relay:
    """
    Listens on a loopback port. Each request takes one of `faults`; without any left it is passed
    on.

    `change` may answer any request that is passed on differently.
    """

    def __init__(self, url: str, change: Fault | None = None) -> None:
        self.faults: deque[Fault] = deque()
        self.seen: list[Seen] = []
        self._api = url
        self._change = change
        self._pool = urllib3.PoolManager(maxsize=16)
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen on the same port as before."""
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65_537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                relay._serve(self)

            def log_message(self, *_: Any) -> None:
                """Print nothing to standard error."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Ignore that a client closed its connection."""

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening, and close the open connections."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        for connection in self._connections:
            _close(connection)

    def close(self) -> None:
        self.stop()
        self._pool.clear()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        self._connections.append(handler.connection)
        length = int(handler.headers.get("Content-Length") or 0)
        headers = {n.lower(): v for n, v in handler.headers.items() if n.lower() not in HOP}
        seen = Seen(handler.command, handler.path, headers, handler.rfile.read(length))
        self.seen.append(seen)

        def pass_on() -> Reply:
            if self._change is not None:
                return self._change(seen, lambda: self.call(seen))
            return self.call(seen)

        answer = self.faults.popleft()(seen, pass_on) if self.faults else pass_on()
        handler.send_response(answer.status)
        for name, value in answer.headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        if answer.is_lost:
            handler.wfile.write(answer.body[: len(answer.body) // 2])
            handler.wfile.flush()
            _close(handler.connection)
            handler.close_connection = True
            return
        handler.wfile.write(answer.body)

    def call(self, seen: Seen) -> Reply:
        """Send the request to the API and return its answer."""
        answer = self._pool.request(
            seen.method,
            self._api + seen.path,
            body=seen.body or None,
            headers=seen.headers,
            redirect=False,
            retries=urllib3.Retry(0),
        )
        kept = tuple((n, v) for n, v in answer.headers.items() if n.lower() not in HOP)
        return Reply(answer.status, answer.data, kept)


def _close(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client has closed it
