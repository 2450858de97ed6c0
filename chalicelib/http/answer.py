"""An answer as a handler gives it, and the envelope that it goes out in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain import preconditions
from chalicelib.domain.errors import JobyardError


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

    @property
    def text(self) -> str:
        """What goes out."""
        return render(self.body)


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
    """The answer to a repeated Idempotency-Key: what the earlier request made, as it is now."""
    return Answer(200, message, data, {"Idempotent-Replayed": "true"})


def multi(message: str, data: Any) -> Answer:
    """Parts of `data` have failed and say so themselves."""
    return Answer(207, message, data)


def tagged(answer: Answer, version: int) -> Answer:
    """The answer with the ETag of the job's version that it shows."""
    return replace(answer, headers={**answer.headers, "ETag": preconditions.etag(version)})


def refused(error: JobyardError) -> Answer:
    return Answer(error.status, error.message, error.data, error.headers, error.code)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def render(value: Any) -> str:
    """JSON as it goes out: compact, never NaN, never half a surrogate pair."""
    text = _ENCODER.encode(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
