"""
The HTTP side of Chalice: every route with its role, and one way from an event to an answer.

Chalice keeps the route table, from which the package's API is made. Dispatch is ours, because
Chalice's errors have another shape, its request is shared between threads, and what must hold
for every route (token, tenancy, query, envelope, log line) has to be in one place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from chalice.app import Chalice

from chalicelib import log
from chalicelib.cloud import aws
from chalicelib.domain import ids
from chalicelib.domain.errors import Forbidden, Internal, JobyardError, MethodNotAllowed, NotFound
from chalicelib.http import cors, gateway_events
from chalicelib.http.answer import Answer, refused
from chalicelib.http.request import Request
from chalicelib.usecases.access import ROLES

if TYPE_CHECKING:
    from chalicelib.system import System

PROJECT = "/workspaces/{workspace_id}/projects/{project_id}"
MAX_SECONDS = 17.0
"""
For one request. An attempt begun just before may take aws.CONNECT_TIMEOUT + aws.READ_TIMEOUT, and
botocore's wait before the next, that is then not made, up to 2 s: with 25 s every request is
answered, whatever AWS does. API Gateway waits for 29.
"""
SPARE_SECONDS = 2.0
"""Of the function's own time-out, kept for answering."""

Handler = TypeVar("Handler", bound=Callable[..., Answer])

PATH_FORMS = {
    "workspace_id": (ids.TENANT, "There is no workspace {} here."),
    "project_id": (ids.TENANT, "There is no project {} here."),
    "job_id": (ids.JOB, "There is no job {} in this project."),
    "run_id": (ids.RUN, "There is no run {} of this job."),
    "file": (re.compile("[a-z0-9_]+[.][a-z]+"), "The console has no file {}."),
}
"""What each parameter of a path looks like, and what is said of one that does not."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is done before a handler is called."""

    handler: Callable[..., Answer]
    role: str | None
    """What a token must allow; None: public."""
    query: str
    """The model of its query parameters, by its name in `http/queries.py`."""
    is_described: bool
    """Whether GET /openapi.json knows it; what a browser fetches is not part of the API."""


class Api(Chalice):
    """A Chalice app whose routes are closed unless they say otherwise."""

    def __init__(self, app_name: str, make_system: Callable[[], System]) -> None:
        super().__init__(app_name, configure_logs=False)
        self._make_system = make_system
        self.endpoints: dict[tuple[str, str], Endpoint] = {}
        """By method and path: what the route table knows, and what each needs."""

    @cached_property
    def system(self) -> System:
        """What the handlers act through, built at the first request."""
        return self._make_system()

    def serving(self, system: System) -> Api:
        """The same routes over another system, for a second one in the same process."""
        other = copy(self)
        other.system = system
        return other

    def route(self, path: str, **_: Any) -> NoReturn:
        raise TypeError(f"{path}: register it with get, post, put, patch or delete, and a role")

    def get(self, path: str, **access: Any) -> Callable[[Handler], Handler]:
        return self._register("GET", path, **access)

    def post(self, path: str, **access: Any) -> Callable[[Handler], Handler]:
        return self._register("POST", path, **access)

    def put(self, path: str, **access: Any) -> Callable[[Handler], Handler]:
        return self._register("PUT", path, **access)

    def patch(self, path: str, **access: Any) -> Callable[[Handler], Handler]:
        return self._register("PATCH", path, **access)

    def delete(self, path: str, **access: Any) -> Callable[[Handler], Handler]:
        return self._register("DELETE", path, **access)

    def check_closed(self) -> None:
        """Raises TypeError if a route was registered without a role, as by a blueprint."""
        for path, methods in self.routes.items():
            for method in methods:
                if (method, path) not in self.endpoints:
                    raise TypeError(f"{method} {path}: a route was registered without a role")

    def _register(
        self,
        method: str,
        path: str,
        *,
        role: str | None,
        query: str = "Query",
        is_described: bool = True,
    ) -> Callable[[Handler], Handler]:
        """
        A handler for a route, called with the Request and the path's other parameters by name.

        `role` has no default: a route without one is a TypeError at import, and so is one with a
        role whose path names no project to check a token against.
        """
        if role is not None and not (role in ROLES and path.startswith(f"{PROJECT}/")):
            raise TypeError(f"{method} {path}: needs a role of {ROLES} and a path in {PROJECT}")

        def register(handler: Handler) -> Handler:
            super(Api, self).route(path, methods=[method])(handler)
            self.endpoints[method, path] = Endpoint(handler, role, query, is_described)
            return handler

        return register

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """
        Answer an event of API Gateway, always with an envelope. In this order, within one deadline:
        the route, the token, its tenancy and role, the query parameters; then the handler, which
        reads the body. A browser's preflight needs none of these.
        """
        clock = self.system.clock
        started = clock.monotonic()
        request_id = str(getattr(context, "aws_request_id", ""))
        log.bind(request_id)
        line: dict[str, Any] = {}
        origins, method = self.system.settings.allowed_origins, gateway_events.method(event)
        sent = gateway_events.headers(event) if origins else {}
        shared = cors.headers(sent, origins)
        try:
            with clock.deadline(_seconds(context)), aws.translated("answer this request"):
                asked = cors.preflight(method, sent, origins)
                answer = asked or self._answer(event, request_id, line)
            response = gateway_events.response(answer, request_id, shared)
        except JobyardError as error:
            line["code"] = error.code
            response = gateway_events.response(refused(error), request_id, shared)
        except Exception:  # noqa: BLE001 - the last resort: the caller gets no traceback, the log does
            log.exception("a defect", doing="answer a request", **line)
            response = gateway_events.response(refused(Internal()), request_id, shared)
        ms = round((clock.monotonic() - started) * 1000)
        log.info("request", **line, status=response["statusCode"], ms=ms)
        return response

    def _answer(self, event: dict[str, Any], request_id: str, line: dict[str, Any]) -> Answer:
        endpoint, request = self._routed(event, request_id, line)
        if endpoint.role is not None:
            request = self._authorized(request, endpoint.role, line)
        _check_forms(request)
        line |= request.path  # ids, now that they look like ones
        if request.parameters:
            request.asked  # noqa: B018 - checked before the handler acts
        own = {"workspace_id", "project_id"}
        arguments = {name: value for name, value in request.path.items() if name not in own}
        return endpoint.handler(request, **arguments)

    def _routed(
        self, event: dict[str, Any], request_id: str, line: dict[str, Any]
    ) -> tuple[Endpoint, Request]:
        """NotFound for a path that is not ours, MethodNotAllowed for one with other methods."""
        matched = gateway_events.match(event, self.routes)
        if matched is None:
            raise NotFound("There is nothing at this path; GET /openapi.json lists what there is.")
        (resource, path), method = matched, gateway_events.method(event)
        line |= {"method": method, "resource": resource}
        endpoint = self.endpoints.get((method, resource))
        if endpoint is None:
            allow = tuple(sorted(self.routes[resource]))
            raise MethodNotAllowed(f"Use {' or '.join(allow)} at this path.", allow)
        return endpoint, Request(
            method=method,
            resource=resource,
            headers=gateway_events.headers(event),
            address=gateway_events.address(event),
            parameters=gateway_events.parameters(event),
            body=gateway_events.body(event),
            path=path,
            now=self.system.clock.now(),
            request_id=request_id,
            system=self.system,
            query_model=endpoint.query,
        )

    def _authorized(self, request: Request, role: str, line: dict[str, Any]) -> Request:
        caller = self.system.tokens.authenticate(request.headers.get("authorization"), request.now)
        line["token_id"] = caller.token_id
        if not caller.may(request.workspace_id, request.project_id, role):
            # in the same words whatever is there, or is not
            raise Forbidden(
                f"This token may not do that here: it takes the role {role} in this workspace "
                "and project."
            )
        return replace(request, caller=caller)


def _seconds(context: Any) -> float:
    left = getattr(context, "get_remaining_time_in_millis", None)
    return MAX_SECONDS if left is None else min(MAX_SECONDS, left() / 1000 - SPARE_SECONDS)


def _check_forms(request: Request) -> None:
    """A path part that does not have an id's form is NotFound without any AWS call."""
    for name, value in request.path.items():
        form, message = PATH_FORMS[name]
        if not form.fullmatch(value):
            raise NotFound(message.format(value if len(value) <= 64 else f"{value[:64]}…"))
