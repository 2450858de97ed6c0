"""
The error tree, and the only place where domain words meet HTTP codes.

    JobyardError
    ├── BadRequest            400  not JSON, a bad or unknown query parameter
    ├── Unauthenticated       401  no valid token
    ├── Forbidden             403  the token may not do that there
    ├── NotFound              404
    ├── MethodNotAllowed      405  with Allow
    ├── Conflict              409  a code of its own for each case
    ├── VersionConflict       412  the job is not at the version that If-Match names
    ├── TooLarge              413
    ├── TooLargeToStore       413  DynamoDB holds no item of that size
    ├── UnsupportedMediaType  415
    ├── InvalidFields         422  every invalid field at once
    ├── Unavailable           503  AWS throttles or is down, with Retry-After
    └── Internal              500  a defect of ours; says nothing about it
"""

from __future__ import annotations

from dataclasses import dataclass

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "NotAuthorized",
        "UnauthorizedException",
        "UnauthorizedOperation",
    }
)
"""Codes by which AWS says that the caller may not do that (API references, "Common errors")."""


class JobyardError(Exception):
    """An error that the caller is told: `message` says what is wrong and what to do."""

    status = 500
    code = "internal"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    @property
    def headers(self) -> dict[str, str]:
        return {}

    @property
    def data(self) -> dict[str, object] | None:
        return None


class BadRequest(JobyardError):
    status = 400
    code = "bad_request"


class Unauthenticated(JobyardError):
    status = 401
    code = "unauthenticated"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(JobyardError):
    status = 403
    code = "forbidden"


class NotFound(JobyardError):
    status = 404
    code = "not_found"


class MethodNotAllowed(JobyardError):
    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = allow

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": ", ".join(self.allow)}


class Conflict(JobyardError):
    status = 409
    code = "conflict"


class VersionConflict(JobyardError):
    status = 412
    code = "version_conflict"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"The job is at version {version} now, which If-Match does not name: it was changed "
            "since you read it. Read it again, and repeat the change on what it is now."
        )
        self.version = version

    @property
    def headers(self) -> dict[str, str]:
        return {"ETag": f'"{self.version}"'}

    @property
    def data(self) -> dict[str, object]:
        return {"version": self.version}


class TooLarge(JobyardError):
    status = 413
    code = "body_too_large"


class TooLargeToStore(JobyardError):
    status = 413
    code = "too_large_to_store"

    def __init__(self) -> None:
        super().__init__(
            "DynamoDB refuses what would have to be stored for its size (400 KB an item). Nothing "
            "was changed, and trying again does not help: make it smaller."
        )


class UnsupportedMediaType(JobyardError):
    status = 415
    code = "unsupported_media_type"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field: `field` as a dotted path into the body, and what is wrong with it."""

    field: str
    message: str


class InvalidFields(JobyardError):
    status = 422
    code = "invalid_fields"

    def __init__(self, errors: list[FieldError], *, code: str | None = None) -> None:
        super().__init__("; ".join(f"{e.field}: {e.message}" for e in errors), code=code)
        self.errors = errors

    @property
    def data(self) -> dict[str, object]:
        return {"errors": [{"field": e.field, "message": e.message} for e in self.errors]}


class Unavailable(JobyardError):
    """AWS throttled Jobyard or did not answer in time; the caller may try again later."""

    status = 503
    code = "unavailable"

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class Internal(JobyardError):
    def __init__(self) -> None:
        super().__init__("Jobyard failed to answer; this is a defect. Nothing is known to be lost.")
