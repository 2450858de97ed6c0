"""
One request to the API and its answer; passing failures are retried, for a bounded time.

Every request may be repeated: a GET changes nothing, a POST that creates carries an
Idempotency-Key, and what a repeated change or removal means is known to client.py.
"""

from __future__ import annotations

import json
import random
import re
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import certifi
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from jobyard import __version__
from jobyard.errors import PASSING, FieldError, Refused, Unreachable

PATIENCE = 60.0
"""Seconds that a request is repeated for, unless the caller says otherwise."""
FIRST_PATIENCE = 3.0
"""The same where no connection was ever made, so that a wrong URL is reported soon."""
MAX_DELAY = 10.0
"""Seconds between two tries, without a Retry-After."""
MAX_RETRY_AFTER = 30.0
CONNECT_SECONDS = 5.0
READ_SECONDS = 35.0
"""API Gateway gives up after 29 s (AWS: "Quotas for configuring and running a REST API")."""
CONNECTIONS = 8

_OBJECT = re.compile(r"^<?\w+\(.*?\)[^:]*: ")
"""How urllib3's messages begin: with the connection that failed."""

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: the envelope's message and data."""

    status: int
    message: str
    data: Any
    was_repeated: bool


class Transport:
    """Connections to one API with one token; safe to use from several threads."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        notify: Notify = lambda message: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url.rstrip("/")
        self.patience = PATIENCE
        self._headers = {"Accept": "application/json", "User-Agent": f"jobyard/{__version__}"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self.notify = notify
        self._sleep = sleep
        self._clock = clock
        self._has_connected = False
        self._pool = _pool(self.url)

    def close(self) -> None:
        self._pool.clear()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """
        The API's answer to `method` on `path`, below the API's URL.

        Refused for an error of the API's own, Unreachable where no answer came within
        `patience` seconds of trying.
        """
        url = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        sent = {**self._headers, **(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        began, tries = self._clock(), 0
        while True:
            tries += 1
            failure, is_refused_connection = self._try(method, url, sent, data, tries)
            if isinstance(failure, Answer):
                return failure
            delay = _delay(failure, tries)
            never_answered = is_refused_connection and not self._has_connected
            patience = min(self.patience, FIRST_PATIENCE) if never_answered else self.patience
            if delay is None or self._clock() - began + delay > patience:
                raise failure.error
            self.notify(f"{failure.reason}; trying again {_when(delay)}")
            self._sleep(delay)

    def _try(
        self, method: str, url: str, headers: Mapping[str, str], data: bytes | None, tries: int
    ) -> tuple[Answer | _Failure, bool]:
        """The answer, or why there is none; and whether there was not even a connection."""
        try:
            response = self._pool.request(
                method, url, body=data, headers=headers, retries=False, redirect=False
            )
        except LocationParseError as error:
            raise Unreachable(f"{self.url} is no URL") from error
        except (HTTPError, OSError) as error:
            is_unconnected = isinstance(
                error, NewConnectionError | ConnectTimeoutError | ProxyError | SSLError
            )
            self._has_connected = self._has_connected or not is_unconnected
            reason = f"{self.url} does not answer ({_cause(error)})"
            is_final = isinstance(error, SSLError)
            return _Failure(Unreachable(reason), reason, not is_final, None), is_unconnected
        self._has_connected = True
        found = _read(response, self.url, was_repeated=tries > 1)
        if isinstance(found, Answer):
            return found, False
        may_pass = response.status in PASSING
        reason = f"the API answered {response.status} ({found})"
        return _Failure(found, reason, may_pass, _retry_after(response)), False


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Refused | Unreachable
    reason: str
    may_pass: bool
    retry_after: float | None


def _pool(url: str) -> urllib3.PoolManager:
    """Connections as the shell's proxies and certificates have it, and never more than needed."""
    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        "maxsize": CONNECTIONS,
    }
    parts = urlsplit(url)
    if parts.scheme == "https":
        # the system's certificates and, for a Python that finds none, the usual ones
        options["ssl_context"] = context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, **options)
    return urllib3.PoolManager(**options)


def _delay(failure: _Failure, tries: int) -> float | None:
    """Seconds to the next try; None where there should be none."""
    if not failure.may_pass:
        return None
    if failure.retry_after is not None:
        return min(failure.retry_after, MAX_RETRY_AFTER)
    return float(min(0.5 * 2 ** (tries - 1), MAX_DELAY) * random.uniform(0.75, 1.0))


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _cause(error: Exception) -> str:
    """What urllib3's error says at its innermost, without the names of its objects."""
    inner: BaseException = error
    while True:
        deeper = [getattr(inner, "reason", None), *inner.args]
        found = next((one for one in deeper if isinstance(one, Exception)), None)
        if found is None:
            break
        inner = found
    return _OBJECT.sub("", str(inner)) or type(inner).__name__


def _read(
    response: urllib3.BaseHTTPResponse, url: str, *, was_repeated: bool
) -> Answer | Refused | Unreachable:
    try:
        envelope = json.loads(response.data)
    except ValueError:
        envelope = None
    if not isinstance(envelope, dict):
        envelope = {}
    status = response.status
    if 200 <= status < 300:
        if "status" in envelope and "data" in envelope:
            return Answer(status, str(envelope.get("message", "")), envelope["data"], was_repeated)
        if envelope:  # a document that others define: OpenAPI, JSON Schema
            return Answer(status, "", envelope, was_repeated)
        return Unreachable(f"{url} answers, but it is no Jobyard API: is the URL right?")
    if envelope.get("status") != "error":
        return _foreign(response, envelope, url, was_repeated=was_repeated)
    data = envelope.get("data")
    errors = data.get("errors", ()) if isinstance(data, dict) else ()
    return Refused(
        status,
        str(envelope.get("message", "")),
        code=envelope.get("code"),
        errors=[FieldError(str(one.get("field")), str(one.get("message"))) for one in errors],
        was_repeated=was_repeated,
    )


def _foreign(
    response: urllib3.BaseHTTPResponse, envelope: dict[str, Any], url: str, *, was_repeated: bool
) -> Refused:
    """An error that is not the API's: a gateway's, a proxy's, or another server's."""
    status = response.status
    if 300 <= status < 400:
        where = response.headers.get("Location", "another address")
        return Refused(status, f"{url} redirects to {where}: use that as the URL")
    said = envelope.get("message") or response.reason or "no reason"
    message = f"{url} answered {status} ({said}), and not as Jobyard does: is the URL right?"
    return Refused(status, message, was_repeated=was_repeated)


def _when(delay: float) -> str:
    return "at once" if delay < 0.5 else f"in {delay:.0f} s"
