"""
Runs the local stack as `make up` does, in a separate process, while something is measured.

  python -m bench.stack process 20

prints one line of JSON, and ends when its standard input is closed.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PROJECT = "/workspaces/local/projects/bench"
TIMEOUT = 60


class Client:
    """A client of the API with one connection that stays open; not thread-safe."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request and return its status and `data`. Raises OSError and HTTPException."""
        text = None if body is None else json.dumps(body)
        self._connection.request(method, f"{PROJECT}{path}", text, self._headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())["data"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return its `data`; AssertionError unless it succeeds."""
        status, data = self.ask(method, path, body)
        if status >= 300:
            raise AssertionError(f"{method} {path} answered {status}")
        return data

    def close(self) -> None:
        self._connection.close()


class Access:
    """Makes clients of a running stack."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token

    @contextmanager
    def client(self) -> Iterator[Client]:
        made = Client(self._url, self._token)
        try:
            yield made
        finally:
            made.close()


@contextmanager
def stack(engine: str, cap: int) -> Iterator[Access]:
    """Start a stack with `engine`, and stop it and its tasks at the end."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.stack", engine, str(cap)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=Path(__file__).resolve().parent.parent,
            start_new_session=True,
        )
        with process:  # leaving the block closes its standard input and waits
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                log.seek(0)
                raise RuntimeError(f"the stack did not start: {log.read().decode()[-2000:]}")
            yield Access(**json.loads(line))


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the product's log
    from infra.local.stack import Stack

    with tempfile.TemporaryDirectory() as directory:
        made = Stack(engine=sys.argv[1], port=0, cap=int(sys.argv[2]), directory=Path(directory))
        try:
            answers.write(json.dumps({"url": made.access.url, "token": made.access.token}) + "\n")
            answers.flush()
            sys.stdin.read()
        finally:
            made.close()


if __name__ == "__main__":
    main()
