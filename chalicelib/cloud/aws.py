"""
How every AWS call is made: one session, clients built at first use, one deadline per caller.

A deadline is handed down through a context variable, so that no signature carries it. Before
each attempt of each call botocore asks `_refuse_late`; an attempt that could outlast what is
left is not begun. With a read time-out of READ_TIMEOUT the caller is therefore answered at the
latest READ_TIMEOUT + CONNECT_TIMEOUT seconds after its deadline's margin was reached, whatever
AWS does.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from botocore import __version__ as botocore_version
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
)

from chalicelib.errors import Unavailable
from chalicelib.redaction import without_account_ids

if TYPE_CHECKING:
    import boto3

CONNECT_TIMEOUT = 1.5
READ_TIMEOUT = 4.0
USER_AGENT = f"jobyard botocore/{botocore_version}"
"""A fixed one: botocore puts its own together twice a call, in a fifth of the call's time."""
ATTEMPTS = 3
"""First try and two more, with botocore's standard jittered backoff (well under a second)."""

ENOUGH_FOR_A_CALL = 0.5
"""Seconds left under which a call is not made once more."""

_ONLY_THROTTLED = "OnlyThrottled"

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "TransactionInProgressException",
    }
)
DOWN = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "InternalException",
        "ServerException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)


class OutOfTime(BotoCoreError):
    """The caller's deadline leaves no room for another attempt."""

    fmt = "no time is left for this call"


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Every AWS call inside must be answered within `seconds`; a tighter outer one stays."""
    outer = _deadline.get()
    mine = time.monotonic() + seconds
    token = _deadline.set(mine if outer is None else min(mine, outer))
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining() -> float:
    """Seconds left to this caller; infinity where no deadline was set."""
    at = _deadline.get()
    return float("inf") if at is None else at - time.monotonic()


def pause(turn: int, *, first: float, longest: float) -> bool:
    """
    Wait before a call is made once more, with jitter: `first` seconds at most before the first
    repetition (`turn` 0), doubling up to `longest`.

    False, and at once: the caller has no time left for another call.
    """
    if remaining() <= ENOUGH_FOR_A_CALL:
        return False
    time.sleep(random.uniform(0, min(first * 2**turn, longest)))
    return True


def config() -> Config:
    """Time limits and retries of every client."""
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        max_pool_connections=32,
        user_agent=USER_AGENT,
    )


def guard(client: Any) -> None:
    """Make a botocore client heed the deadline, and note what each attempt was answered."""
    client.meta.events.register_first("before-send.*.*", _refuse_late)
    client.meta.events.register("response-received.*.*", _note_attempt)


def _refuse_late(**_: object) -> None:
    if remaining() <= 0:
        raise OutOfTime


def _note_attempt(
    context: dict[str, Any], parsed_response: dict[str, Any] | None, **_: object
) -> None:
    """
    Into an attempt's answer goes whether it and all attempts before it were throttled: botocore
    hands on the answer of the last one alone. `context` is of one call, with all its attempts.
    """
    answer = parsed_response or {}
    was_throttled = answer.get("Error", {}).get("Code") in THROTTLED
    context[_ONLY_THROTTLED] = was_throttled and context.get(_ONLY_THROTTLED, True)
    if "ResponseMetadata" in answer:
        answer["ResponseMetadata"][_ONLY_THROTTLED] = context[_ONLY_THROTTLED]


def is_throttle(error: Exception) -> bool:
    """AWS answered, and asked to be asked less often: nothing was done."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in THROTTLED


def is_unavailable(error: Exception) -> bool:
    """AWS throttled, failed or did not answer: whether it acted is not known."""
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        # of an answer without a body botocore makes its status the code; PynamoDB keeps the code
        # alone
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", code)
        is_5xx = str(status).isdigit() and int(status) >= 500
        return is_throttle(error) or code in DOWN or is_5xx
    return isinstance(error, (ConnectionError, HTTPClientError, OutOfTime))


def was_retried(error: ClientError) -> bool:
    """Whether botocore had asked before and got no answer that counts: that may have acted."""
    return error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0


def was_only_throttled(error: ClientError) -> bool:
    """
    Whether every attempt of the call was answered, and each with a throttle: AWS did nothing.

    A throttle that follows an attempt without an answer, or with a 5xx, does not say that.
    """
    return bool(error.response.get("ResponseMetadata", {}).get(_ONLY_THROTTLED))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """
    Turn AWS's being throttled or down into `Unavailable`; `what` completes "could not …".

    Every other error passes: it means something to the caller, or it is a defect.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        if is_unavailable(error):
            raise unavailable(what) from error
        raise


def unavailable(what: str) -> Unavailable:
    """What a caller hears when AWS is; `what` completes "could not …"."""
    return Unavailable(f"AWS is throttling or not answering: could not {what}. Try again.")


def error_code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def error_message(error: ClientError) -> str:
    """AWS's own sentence, fit to be shown to an API's caller."""
    return without_account_ids(error.response["Error"].get("Message", ""))


class _Clients:
    """This process's clients, by service; botocore does not create them thread-safely."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: boto3.session.Session | None = None
        self._clients: dict[str, Any] = {}

    def get(self, service: str) -> Any:
        found = self._clients.get(service)
        if found is not None:
            return found
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._build(service)
            return self._clients[service]

    def _build(self, service: str) -> Any:
        import boto3  # at first use: half of the requests of a cold function need DynamoDB alone

        if self._session is None:
            self._session = boto3.session.Session()
        client = self._session.client(service, config=config())  # type: ignore[call-overload]  # any service
        guard(client)
        return client


_clients = _Clients()


def client(service: str) -> Any:
    """The process's botocore client for `service`, built at first use."""
    return _clients.get(service)
