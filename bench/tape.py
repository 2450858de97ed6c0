"""
Records what AWS answers, and plays it back where botocore would use the network.

Everything above the socket still runs: requests are built, signed and sent, answers are parsed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from botocore import endpoint, httpsession
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer of AWS, and the operation that it answers."""

    operation: str
    status: int
    headers: dict[str, str]
    body: str


@contextmanager
def recording() -> Iterator[list[Exchange]]:
    """Record everything that AWS answers inside, in order."""
    made: list[Exchange] = []
    last: Any = None
    original = endpoint.convert_to_response_dict

    def convert(response: Any, operation: Any) -> Any:
        nonlocal last
        if response is last:  # botocore converts each answer twice, once for its listeners
            return original(response, operation)
        last = response
        headers = {str(name): str(value) for name, value in response.headers.items()}
        body = response.content.decode()
        made.append(Exchange(operation.name, response.status_code, headers, body))
        return original(response, operation)

    endpoint.convert_to_response_dict = convert  # type: ignore[assignment]  # its own names
    try:
        yield made
    finally:
        endpoint.convert_to_response_dict = original


class WrongCall(Exception):
    """The calls differ from those on the tape, so nothing can be measured."""


class Player:
    """Answers from a tape without a network; call `rewind` before each measured call."""

    def __init__(self) -> None:
        self._tape: list[Exchange] = []
        self._at = 0

    def install(self) -> None:
        """Install it for the whole life of this process."""
        httpsession.URLLib3Session.send = self._send  # type: ignore[assignment]  # the socket

    def rewind(self, tape: list[Exchange]) -> None:
        self._tape, self._at = tape, 0

    def check_played(self) -> None:
        """Raise WrongCall unless every answer of the tape was used."""
        if self._at != len(self._tape):
            raise WrongCall(f"{self._at} of {len(self._tape)} calls were made")

    def _send(self, request: Any) -> AWSResponse:
        target = request.headers.get("X-Amz-Target", b"")
        asked = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        found = self._tape[self._at] if self._at < len(self._tape) else None
        if found is None or asked != found.operation:
            raise WrongCall(f"call {self._at}: {asked} instead of {found and found.operation}")
        self._at += 1
        headers = HTTPHeaders()
        for name, value in found.headers.items():
            headers[name] = value
        return AWSResponse(request.url, found.status, headers, _Raw(found.body.encode()))


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()
