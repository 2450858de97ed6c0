"""
A request and its answer: headers, bodies and queries in; the envelope, and cursors, out.

Reading is strict and says all that is wrong at once; what a handler gets is valid.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from chalicelib import preconditions, strict_json
from chalicelib.errors import BadRequest, JobyardError, TooLarge, UnsupportedMediaType
from chalicelib.fields import Tenancy
from chalicelib.preconditions import IfMatch
from chalicelib.queries import Query
from chalicelib.settings import settings
from chalicelib.validation import field_errors, validate

if TYPE_CHECKING:
    from chalicelib.auth import Caller

M = TypeVar("M", bound=BaseModel)
Q = TypeVar("Q", bound=Query)

MAX_REQUEST_BODY = 256 * 1024
MAX_BODY = 5 * 1024 * 1024
"""Bytes of an answer as Lambda encodes it; Lambda itself refuses over 6 MB."""
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
    parameters: Mapping[str, list[str]]
    """What stood behind the `?`, decoded."""
    body: bytes
    path: Mapping[str, str]
    """The path's parameters, not decoded: no id needs it."""
    now: datetime
    request_id: str
    caller: Caller | None = None
    """Whose token it is; None on a public route."""

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
    def tenancy(self) -> Tenancy:
        """What the caller's workspace may name on this stage."""
        here = settings()
        return Tenancy(here.stage, self.workspace_id, here.secret_prefixes, here.iam_prefix)

    def parse(self, model: type[M]) -> M:
        """
        The JSON body as a `model`.

        UnsupportedMediaType, TooLarge, BadRequest for what is no strict JSON, InvalidFields for
        JSON that is no such model.
        """
        return validate(model, self._json(), self.tenancy)

    def parse_optional(self, model: type[M]) -> M:
        """The same, where no body means an empty object."""
        return self.parse(model) if self.body else validate(model, {}, self.tenancy)

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
        if not self.parameters:
            # the defaults are valid: a function's first request need not build a validator
            return model.model_construct()  # type: ignore[return-value]  # pydantic's plugin
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

    @cached_property
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


@dataclass(frozen=True)
class Answer:
    """What a handler answers; `data` is JSON, `headers` go out with those every answer has."""

    status: int
    message: str
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None
    """Of an error."""

    @property
    def body(self) -> dict[str, Any]:
        """The envelope."""
        if self.code is None:
            return {"status": "success", "message": self.message, "data": self.data}
        return {"status": "error", "message": self.message, "code": self.code, "data": self.data}


class Document(Answer):
    """An answer that is `data` itself: a format that others define has no envelope."""

    @property
    def body(self) -> dict[str, Any]:
        return dict(self.data)


def ok(message: str, data: Any = None) -> Answer:
    return Answer(200, message, data)


def created(message: str, data: Any, location: str) -> Answer:
    """`location` is relative to the request's path, so that a stage prefix does not break it."""
    return Answer(201, message, data, {"Location": location})


def replayed(message: str, data: Any) -> Answer:
    """What an earlier request with the same Idempotency-Key made, as it is now."""
    return Answer(200, message, data, {"Idempotent-Replayed": "true"})


def multi(message: str, data: Any) -> Answer:
    """Parts of `data` have failed and say so themselves."""
    return Answer(207, message, data)


def tagged(answer: Answer, version: int) -> Answer:
    """With the ETag of the version of the job that it shows."""
    return replace(answer, headers={**answer.headers, "ETag": preconditions.etag(version)})


def refused(error: JobyardError) -> Answer:
    return Answer(error.status, error.message, error.data, error.headers, error.code)


def render(value: Any) -> str:
    """JSON as it goes out: compact, never NaN, never half a surrogate pair."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()


def encoded_size(value: Any) -> int:
    """
    Bytes that `value` takes of MAX_BODY.

    Lambda encodes the body once more as a JSON string: quotes and backslashes take two bytes,
    and what is not ASCII six or twelve, unless its runtime knows better (it decides by a variable
    that Chalice changes), so the larger figure counts.
    """
    return len(json.dumps(render(value))) - 2


def body_hash(body: BaseModel) -> str:
    """
    Tells whether two requests with one Idempotency-Key ask for the same.

    The order of names does not count, nor does a default that is spelled out, nor defaults that
    a new version of Jobyard adds meanwhile.
    """
    asked = body.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def encode_cursor(kind: str, scope: str, payload: dict[str, Any]) -> str:
    """
    An opaque place in the list `kind` of `scope` (a project, a job, a run), safe in a URL.

    It is not signed: there is nothing in it to protect. Whoever forges one moves within the list
    that they may read, because the use-case looks under its own partition key whatever a cursor
    says. For the same reason its content is input like any other, and checked before use.
    """
    text = render([kind, _scope_hash(scope), payload])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(kind: str, scope: str, text: str, **forms: re.Pattern[str]) -> dict[str, Any]:
    """
    The payload of a cursor of this very list; BadRequest for any other text.

    Each of `forms` names a part of the payload, which must be a string of that form.
    """
    wrong = BadRequest("cursor is not one that this list gave: start again without it.")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = strict_json.decode(raw)
    except (binascii.Error, ValueError, BadRequest) as error:
        raise wrong from error
    if not isinstance(found, list) or len(found) != 3 or found[:2] != [kind, _scope_hash(scope)]:
        raise wrong
    payload = found[2]
    if not isinstance(payload, dict):
        raise wrong
    for name, form in forms.items():
        if not isinstance(payload.get(name), str) or not form.fullmatch(payload[name]):
            raise wrong
    return payload


def _scope_hash(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:16]
