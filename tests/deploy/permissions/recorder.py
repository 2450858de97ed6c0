"""
Records every AWS call of the product under the function that makes it.

Each function has one entry point, which app.py calls and the tests' harness calls too.
The recorder wraps these entry points. The outermost one counts: the sweep handles what it finds out
about a task with the code for task events, and these are calls of the sweep's role.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import pytest
from botocore.client import BaseClient

import app
from chalicelib.engine.audit import Audit
from chalicelib.engine.lifecycle import Lifecycle
from chalicelib.engine.scheduler import Scheduler
from chalicelib.engine.sweep import Sweep
from chalicelib.http.api import Api
from chalicelib.usecases.stack_jobs import StackJobs
from tests.deploy.permissions import calls
from tests.deploy.permissions.calls import Needed
from tests.reliability.wire import Wire
from tests.yard import Yard

WAYS_IN: dict[str, tuple[Any, str]] = {
    "api": (Api, "__call__"),
    "task-changed": (Lifecycle, "apply_task"),
    "fire": (Scheduler, "fired"),
    "sweep": (Sweep, "turn"),
    "sweep-part": (Sweep, "part"),
    "audit": (Audit, "turn"),
    "job-resource": (StackJobs, "apply"),
}
"""The function's name as in `jobyard-<stage>-<name>` and in `.chalice/policy-<name>.json`."""

HARNESS = "harness"


@dataclass(frozen=True, order=True)
class Call:
    """A permission that a function needs, and the first operation in which it was recorded."""

    function: str
    needed: Needed
    operation: str

    @property
    def words(self) -> str:
        """Function, operation, action, ARN and condition keys, for a message."""
        keys = "".join(f", {key}={value}" for key, value in self.needed.context)
        return (
            f"{self.function} ({self.operation}): {self.needed.action} on {self.needed.arn}{keys}"
        )


class Recorder:
    """Stores one example of each permission that each function needed."""

    def __init__(self) -> None:
        self.operation = ""
        """The name of the operation that runs; the caller sets it."""
        self.routes: set[tuple[str, str]] = set()
        """Method and path of every endpoint whose handler ran."""
        self.outside: set[str] = set()
        """AWS calls (`ecs.RunTask`) that no function made, but the preparation of an operation."""
        self.not_known: set[str] = set()
        """
        Why some calls could not be judged. It is no exception, because the product would handle
        that.
        """
        self._function: str | None = None
        self._first: dict[tuple[str, Needed], str] = {}
        self._definitions: dict[str, dict[str, Any]] = {}

    @property
    def calls(self) -> list[Call]:
        return sorted(
            Call(function, needed, operation)
            for (function, needed), operation in self._first.items()
        )

    @contextmanager
    def installed(self) -> Iterator[Recorder]:
        """Record inside. Only one function runs at a time, so one variable holds which."""
        with pytest.MonkeyPatch.context() as patch:
            for function, (where, name) in WAYS_IN.items():
                patch.setattr(where, name, self._entering(function, getattr(where, name)))
            for key, endpoint in app.app.endpoints.items():
                handler = self._noting(key, endpoint.handler)
                patch.setitem(app.app.endpoints, key, replace(endpoint, handler=handler))
            patch.setattr(Wire, "meanwhile", self._as_nobody(Wire.meanwhile))
            patch.setattr(Yard, "stored", self._unrecorded(Yard.stored))
            call = "_make_api_call"  # the type stubs do not have it
            patch.setattr(BaseClient, call, self._calling(getattr(BaseClient, call)))
            yield self

    def _entering(self, function: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def entered(*args: Any, **kwargs: Any) -> Any:
            if self._function is not None:
                return original(*args, **kwargs)
            with self._as(function):
                return original(*args, **kwargs)

        return entered

    def _as_nobody(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """What another process does during a call enters through an entry point of its own."""

        def meanwhile(*args: Any) -> Any:
            with self._as(None):
                return original(*args)

        return meanwhile

    def _unrecorded(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Not recorded: the harness reads the tables with the product's own code."""

        def looking(*args: Any) -> Any:
            with self._as(HARNESS):
                return original(*args)

        return looking

    @contextmanager
    def _as(self, function: str | None) -> Iterator[None]:
        outer, self._function = self._function, function
        try:
            yield
        finally:
            self._function = outer

    def _noting(self, key: tuple[str, str], handler: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(handler)  # the OpenAPI document reads its name
        def noted(*args: Any, **kwargs: Any) -> Any:
            self.routes.add(key)
            return handler(*args, **kwargs)

        return noted

    def _calling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Replaces the one method through which every botocore client makes its calls."""

        def calling(client: Any, operation: str, params: dict[str, Any]) -> Any:
            service = client.meta.service_model.service_name
            self._record(service, operation, params)
            answer = original(client, operation, params)
            if (service, operation) == ("ecs", "RegisterTaskDefinition"):
                self._definitions[answer["taskDefinition"]["taskDefinitionArn"]] = params
            return answer

        return calling

    def _record(self, service: str, operation: str, params: dict[str, Any]) -> None:
        if self._function is None:
            self.outside.add(f"{service}.{operation}")
        elif self._function != HARNESS:
            try:
                found = calls.judged(service, operation, params, self._definitions.__getitem__)
            except calls.NotKnown as error:
                self.not_known.add(str(error))
                return
            for needed in found:
                self._first.setdefault((self._function, calls.example(needed)), self.operation)
