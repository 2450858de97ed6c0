"""
A request as a handler sees it: headers, body and query, read strictly.

One answer names everything that is wrong; a handler gets only valid values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from chalicelib.domain import preconditions
from chalicelib.domain.errors import BadRequest, TooLarge, UnsupportedMediaType
from chalicelib.domain.preconditions import IfMatch
from chalicelib.http import strict_json
from chalicelib.usecases.idempotency import Once, body_hash

if TYPE_CHECKING:
    from datetime import datetime

    from pydantic import BaseModel

    from chalicelib.domain.actor import Actor
    from chalicelib.domain.fields import Tenancy
    from chalicelib.http.queries import Query
    from chalicelib.system import System
    from chalicelib.usecases.access import Caller

M = TypeVar("M", bound="BaseModel")
Q = TypeVar("Q", bound="Query")

MAX_REQUEST_BODY = 256 * 1024
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_JSON = re.compile(r"application/json\s*(?:;\s*charset\s*=\s*\"?utf-8\"?\s*)?;?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """One call, as a handler sees it; it holds everything, so that requests can run in threads."""

    method: str
    resource: str
    """The route's path, with its parameters' names."""
    headers: Mapping[str, str]
    """By name in lower case; several of one name joined by a comma."""
    address: str
    """The path as it was sent, not decoded."""
    parameters: Mapping[str, list[str]]
    """What stood behind the `?`, decoded."""
    body: bytes
    path: Mapping[str, str]
    """The path's parameters, not decoded: no id needs it."""
    now: datetime
    request_id: str
    system: System
    """Everything that handlers act through."""
    caller: Caller | None = None
    """Whose token it is; None on a public route."""
    query_model: str = "Query"
    """The route's model of its query parameters, by its name in `http/queries.py`."""

    @property
    def workspace_id(self) -> str:
        return self.path["workspace_id"]

    @property
    def project_id(self) -> str:
        return self.path["project_id"]

    @property
    def project(self) -> str:
        """The key of the project in the tables."""
        return f"{self.workspace_id}#{self.project_id}"

    @property
    def actor(self) -> Actor:
        """Who is recorded as the one who asked; a public route has nobody."""
        assert self.caller is not None, "a public route changes nothing"
        return self.caller.actor

    @property
    def tenancy(self) -> Tenancy:
        """What the caller's workspace may name on this stage."""
        return self.system.settings.tenancy(self.workspace_id)

    @cached_property
    def asked(self) -> Any:
        """The query parameters as the model that the route names; BadRequest as in `query`."""
        from chalicelib.http import queries

        return self.query(queries.named(self.query_model))

    def parse(self, model: type[M]) -> M:
        """
        The JSON body as a `model`.

        UnsupportedMediaType; TooLarge; BadRequest for a body that is not strict JSON; InvalidFields
        for JSON that does not fit the model.
        """
        return self._validated(model, self._json())

    def parse_optional(self, model: type[M]) -> M:
        """The same, where no body means an empty object."""
        return self.parse(model) if self.body else self._validated(model, {})

    def _validated(self, model: type[M], body: Any) -> M:
        from chalicelib.domain.validation import validate

        return validate(model, body, self.tenancy)

    def _json(self) -> Any:
        if len(self.body) > MAX_REQUEST_BODY:
            raise TooLarge(f"The body is over {MAX_REQUEST_BODY // 1024} KiB.")
        if not self.body:
            raise BadRequest("A JSON body is required.")
        content_type = self.headers.get("content-type", "")
        if not _JSON.fullmatch(content_type.strip()):
            raise UnsupportedMediaType(
                "The body must be JSON: send it with the header Content-Type: application/json."
            )
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType("The body must not be compressed.")
        return strict_json.decode(self.body)

    def query(self, model: type[Q]) -> Q:
        """
        The query parameters as a `model`.

        BadRequest names all that is wrong: unknown ones, bad values, one given twice that may
        not be.
        """
        if not self.parameters and not model.needs_parameters():
            # the defaults are valid: a function's first request need not build a validator
            return model.model_construct()  # type: ignore[return-value]  # pydantic's plugin
        from pydantic import ValidationError

        from chalicelib.domain.validation import field_errors

        values: dict[str, Any] = {}
        wrong = []
        for name, given in self.parameters.items():
            if name in model.repeatable:
                values[name] = given
            else:
                values[name] = given[-1]
                if len(given) > 1 and name in model.model_fields:
                    wrong.append(f"{name} is there more than once")
        try:
            parsed = model.model_validate(values)
        except ValidationError as error:
            wrong += [f"{found.field} {found.message}" for found in field_errors(error, model)]
        if wrong:
            raise BadRequest(f"Query parameters: {'; '.join(wrong)}.")
        return parsed

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key header; BadRequest unless it is 1 to 255 printable ASCII."""
        key = self.headers.get("idempotency-key")
        if key is not None and not _KEY.fullmatch(key):
            raise BadRequest("Idempotency-Key must be 1 to 255 printable ASCII characters.")
        return key

    @property
    def if_match(self) -> IfMatch:
        """The If-Match header; BadRequest where it is malformed."""
        return preconditions.read(self.headers.get("if-match"))

    def once(self, body: BaseModel) -> Once | None:
        """The Idempotency-Key and the body's hash; None where the request has no key."""
        key = self.idempotency_key
        return None if key is None else Once(key, body_hash(body))
