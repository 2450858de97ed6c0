"""
How every AWS call is made: clients built at first use, and the caller's deadline.

botocore asks `Clients` before each attempt of each call, which refuses an attempt after the
deadline has passed. One that was begun just before may take CONNECT_TIMEOUT + READ_TIMEOUT
seconds, so the caller is answered that long after its deadline at the latest.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore import __version__ as botocore_version
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
)

from chalicelib.domain.errors import DENIED, Unavailable
from chalicelib.domain.redaction import without_account_ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.session import Session

    from chalicelib.clock import Clock

CONNECT_TIMEOUT = 1.5
READ_TIMEOUT = 4.0
USER_AGENT = f"jobyard botocore/{botocore_version}"
"""Fixed, because botocore builds its own twice a call, which takes a fifth of the call's time."""
ATTEMPTS = 3
"""First try and two more, with botocore's standard jittered backoff (well under a second)."""

_ONLY_THROTTLED = "OnlyThrottled"

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


QUOTA_REACHED = "QuotaReached"
"""In place of a LimitExceededException: waiting does not help, as it does where AWS throttles."""


class OutOfTime(BotoCoreError):
    """The caller's deadline leaves no room for another attempt."""

    fmt = "no time is left for this call"


def config(attempts: int, *, validates: bool = True) -> Config:
    """Time limits and retries of every client; `validates`: whether botocore checks arguments."""
    return Config(
        parameter_validation=validates,
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        max_pool_connections=32,
        user_agent=USER_AGENT,
    )


def _note_attempt(
    context: dict[str, Any], parsed_response: dict[str, Any] | None, **_: object
) -> None:
    """
    Note in an attempt's answer whether it and all attempts before it were throttled: botocore
    returns only the last answer. `context` belongs to one call with all its attempts.
    """
    answer = parsed_response or {}
    was_throttled = answer.get("Error", {}).get("Code") in THROTTLED
    context[_ONLY_THROTTLED] = was_throttled and context.get(_ONLY_THROTTLED, True)
    if "ResponseMetadata" in answer:
        answer["ResponseMetadata"][_ONLY_THROTTLED] = context[_ONLY_THROTTLED]


def _no_retry_at_a_quota(parsed_response: dict[str, Any] | None, **_: object) -> None:
    """
    Name LimitExceededException otherwise: botocore takes it for a throttle, and asks twice more,
    with seconds between ("Standard retry mode", boto3 guide). EventBridge answers it to a rule for
    which the bus has no room.
    """
    error = (parsed_response or {}).get("Error", {})
    if error.get("Code") == "LimitExceededException":
        error["Code"] = QUOTA_REACHED


def is_throttle(error: Exception) -> bool:
    """AWS answered that it throttles the caller: nothing was done."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in THROTTLED


def is_unavailable(error: Exception) -> bool:
    """AWS throttled, failed or did not answer: whether it acted is not known."""
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        # botocore uses the status as the code of an answer without a body; PynamoDB keeps only the
        # code
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", code)
        is_5xx = str(status).isdigit() and int(status) >= 500
        return is_throttle(error) or code in DOWN or is_5xx
    return isinstance(error, (ConnectionError, HTTPClientError, OutOfTime))


def was_retried(error: ClientError) -> bool:
    """Whether botocore had sent the call before without a usable answer: it may have acted."""
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
    Raise `Unavailable` where AWS throttles or is down; `what` completes "could not …".

    Every other error is raised as it is: the caller handles it, or it is a defect.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        if is_unavailable(error):
            raise unavailable(what) from error
        raise


class StaleToken(Exception):
    """AWS does not know a page's token any more: list again from the beginning."""


@contextmanager
def page(what: str, token: str | None) -> Iterator[None]:
    """A call that lists from `token` on; StaleToken where AWS does not know the token any more."""
    try:
        with translated(what):
            yield
    except ClientError as error:
        is_stale = "token" in str(error).lower() and error_code(error) not in DENIED
        if token is not None and is_stale:
            raise StaleToken(what) from error
        raise


def unavailable(what: str) -> Unavailable:
    """What the caller is told when AWS throttles or is down; `what` completes "could not …"."""
    return Unavailable(f"AWS is throttling or not answering: could not {what}. Try again.")


def error_code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def error_message(error: ClientError) -> str:
    """AWS's own sentence, fit to be shown to an API's caller."""
    return without_account_ids(error.response["Error"].get("Message", ""))


@dataclass
class Clients:
    """One system's botocore clients, by service; botocore does not create them thread-safely."""

    region: str
    clock: Clock
    attempts: int = ATTEMPTS
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _session: Session | None = field(default=None, init=False)
    _clients: dict[str, Any] = field(default_factory=dict, init=False)

    def get(self, service: str) -> Any:
        """The client of `service`, built at first use."""
        return self.made_once(service, self._build)

    def made_once(self, service: str, build: Callable[[str], Any]) -> Any:
        """The client of `service`; `build` makes it where there is none yet."""
        found = self._clients.get(service)
        if found is not None:
            return found
        with self._lock:
            if service not in self._clients:
                client = build(service)
                client.meta.events.register_first("before-send.*.*", self._refuse_late)
                client.meta.events.register("response-received.*.*", _note_attempt)
                client.meta.events.register("response-received.events.*", _no_retry_at_a_quota)
                self._clients[service] = client
            return self._clients[service]

    def session(self) -> Session:
        """
        The session of all clients: what botocore reads for every service, it reads once.

        Only while a client is built, under the lock. A function that Lambda restores from a
        snapshot has no session yet (nothing builds one at import), so the seed is drawn after the
        restore: else all functions restored from one snapshot would wait the same "random" times
        before they repeat a call.
        """
        if self._session is None:
            from botocore.session import Session  # at first use: `import app` builds no client

            random.seed()
            self._session = Session()
        return self._session

    def _build(self, service: str) -> Any:
        return self.session().create_client(
            service, region_name=self.region, config=config(self.attempts)
        )

    def _refuse_late(self, **_: object) -> None:
        if self.clock.remaining() <= 0:
            raise OutOfTime
