"""A server that stands in for CloudFormation's bucket and takes the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class ResponseServer:
    """Stores the answers that came, and decides the status of each."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/stack?X-Amz-Signature=1"
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        """The statuses of the next answers, where 0 closes the connection; after these 200."""

    @property
    def last(self) -> dict[str, Any]:
        return dict(json.loads(self.bodies[-1]))

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        self.bodies.append(body)
        self.headers.append(headers)
        return self.answers.pop(0) if self.answers else 200


@contextmanager
def response_server() -> Iterator[ResponseServer]:
    """Start the server on a free port, and stop it when the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = made.take(body, dict(self.headers))
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", made.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing to standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = ResponseServer(server.server_address[1])
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
