"""A small client of a deployed stage's API, for the operator's commands."""

from __future__ import annotations

import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any

TIMEOUT_SECONDS = 35
"""API Gateway gives up after 29 s."""
TRIES = 5
AT_ONCE = 4
"""Requests of one client under way: a new account has 10 functions at once for everything."""


class NotOk(Exception):
    """The API answered with another status than expected."""


class NoAnswer(NotOk):
    """No answer came; it is unknown whether the request was carried out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `body` is the parsed JSON, or the text where it is not JSON."""

    status: int
    headers: Message
    body: Any


class Api:
    """The API at `url`, as seen with one token within one project."""

    def __init__(
        self, url: str, token: str, *, workspace: str, project: str, at_once: int = AT_ONCE
    ) -> None:
        self._url = url.rstrip("/")
        self._base = f"{self._url}/workspaces/{workspace}/projects/{project}/"
        self._token = token
        self._turns = threading.Semaphore(at_once)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        key: str | None = None,
    ) -> Answer:
        """
        Any answer. A path that begins with / is under the URL, others are under the project.

        `key` is an Idempotency-Key. Raises NoAnswer.
        """
        address = self._url + path if path.startswith("/") else self._base + path
        request = urllib.request.Request(address, method=method)
        request.add_header("Authorization", f"Bearer {token or self._token}")
        if key is not None:
            request.add_header("Idempotency-Key", key)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with (
                self._turns,
                urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer,
            ):
                return Answer(answer.status, answer.headers, _parsed(answer.read()))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, _parsed(error.read()))
        except OSError as error:
            raise NoAnswer(f"{method} {address} gets no answer: {error}") from error

    def ask(self, method: str, path: str, body: Any = None, *, creates: bool = False) -> Any:
        """
        The `data` of a success. Raises NotOk for any other answer.

        A request that was throttled is repeated; also one that was answered with 503 or not at
        all, if it may be done twice. `creates`: it is a POST that takes an Idempotency-Key, and so
        may be done twice too.
        """
        key = secrets.token_hex(16) if creates else None
        may_repeat = method != "POST" or creates
        for left in reversed(range(TRIES)):
            try:
                answer = self.call(method, path, body, key=key)
            except NoAnswer:
                if not (may_repeat and left):
                    raise
                continue
            if 200 <= answer.status < 300 and isinstance(answer.body, dict):
                return answer.body["data"]
            if not (answer.status == 429 or (answer.status == 503 and may_repeat)):
                break
            if left:
                time.sleep(min(float(answer.headers.get("Retry-After", 5)), 10))
        raise NotOk(f"{method} {path} is answered with {answer.status}, {_said(answer.body)}")


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")[:500]


def _said(body: Any) -> str:
    if isinstance(body, dict) and {"code", "message"} <= body.keys():
        return f"{body['code']}: {body['message']}"
    return json.dumps(body)[:500]
