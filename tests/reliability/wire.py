"""Stands between Jobyard and AWS: every call passes it, and may fail there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from botocore import UNSIGNED
from botocore.exceptions import ReadTimeoutError

from chalicelib.cloud import aws
from chalicelib.system import System

SERVICES = ("ecs", "events", "logs", "lambda")

Failing = Callable[[int, str], Any]
"""
Called with a call's number, from 1, and name (`ecs.RunTask`): raises, answers, or returns None.
"""


class Death(BaseException):
    """The process died. It is no Exception, so that no `except Exception` can handle it."""


class HttpAnswer:
    """An HTTP answer, as far as botocore reads it."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def clients_of(system: System) -> list[Any]:
    """The botocore clients through which a system makes its calls."""
    return [system.database.client, *(system.clients.get(name) for name in SERVICES)]


class Wire:
    """Hooks on every client; the context managers below set what they do."""

    def __init__(self, system: System) -> None:
        self.count = 0
        self.names: list[str] = []
        self.asking: Failing | None = None
        self.answered: Failing | None = None
        self.made: Callable[[str, dict[str, Any]], None] = lambda name, params: None
        """Called for each call that is really made, with its HTTP request."""
        self._clients = clients_of(system)

    def __enter__(self) -> Wire:
        for client in self._clients:
            client.meta.events.register("before-call.*.*", self._before)
            client.meta.events.register("after-call.*.*", self._after)
            # Nothing checks signatures here, and making them takes a tenth of a call.
            client.meta.events.register("choose-signer.*.*", _unsigned)
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.meta.events.unregister("before-call.*.*", self._before)
            client.meta.events.unregister("after-call.*.*", self._after)
            client.meta.events.unregister("choose-signer.*.*", _unsigned)

    def _before(self, model: Any, params: dict[str, Any], **_: Any) -> Any:
        name = f"{model.service_model.service_name}.{model.name}"
        self.count += 1
        self.names.append(name)
        answer = self.asking(self.count, name) if self.asking else None
        if answer is None:
            self.made(name, params)
        return answer

    def _after(self, model: Any, **_: Any) -> None:
        if self.answered:
            self.answered(self.count, self.names[-1])

    @contextlib.contextmanager
    def failing(
        self, *, asking: Failing | None = None, answered: Failing | None = None
    ) -> Iterator[Wire]:
        """Count the calls made inside from 1, and let them fail as given."""
        self.count, self.names = 0, []
        self.asking, self.answered = asking, answered
        try:
            yield self
        finally:
            self.asking = self.answered = None

    def meanwhile(self, act: Callable[[], Any]) -> None:
        """Let another process act: its calls are not counted and do not fail."""
        held = self.count, self.names, self.asking, self.answered
        self.asking = self.answered = None
        self.names = []
        try:
            act()
        finally:
            self.count, self.names, self.asking, self.answered = held

    def dying(self, number: int, when: str) -> contextlib.AbstractContextManager[Wire]:
        """
        Let the process die at a call: `before` it is made, or `after` it and before its answer is
        read.
        """

        def die_there(count: int, name: str) -> None:
            if count >= number:  # no other thread may go on either
                die(count, name)

        if when == "before":
            return self.failing(asking=die_there)
        return self.failing(answered=die_there)


def _unsigned(**_: object) -> Any:
    return UNSIGNED


def die(_: int, name: str) -> NoReturn:
    """The process ends at this call."""
    raise Death(name)


def throttled(name: str) -> tuple[HttpAnswer, dict[str, Any]]:
    """What botocore returns if every attempt of a call was throttled."""
    return refused(name, "ThrottlingException", "Rate exceeded", 400)


def refused(
    name: str, code: str, message: str, status: int, retries: int = aws.ATTEMPTS - 1
) -> tuple[HttpAnswer, dict[str, Any]]:
    """An error of AWS, after `retries` more attempts."""
    error = {"Code": code, "Message": message}
    metadata = {"HTTPStatusCode": status, "RetryAttempts": retries, "HTTPHeaders": {}}
    return HttpAnswer(status), {"Error": error, "ResponseMetadata": metadata}


def unanswered(name: str) -> NoReturn:
    """What botocore raises if no attempt was answered in time."""
    raise ReadTimeoutError(endpoint_url=f"https://{name.lower()}.amazonaws.com/")
