"""
What this package raises.

    JobyardError
    ├── Refused        the API answered that it will not: its status, code, message and fields
    ├── Unreachable    no answer came, or one that is not Jobyard's
    ├── SettingsError  URL, token, workspace or project are missing or make no sense
    └── ManifestError  a manifest has mistakes: all of them, each with its place
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

PASSING = frozenset({429, 502, 503, 504})
"""Statuses that another try may change."""


class JobyardError(Exception):
    """An error whose text is for the person who uses the command."""


class FieldError(NamedTuple):
    """One invalid field: `field` as a dotted path into the body, and what is wrong with it."""

    field: str
    message: str


class Refused(JobyardError):
    """The API answered an error."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        was_repeated: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.errors = tuple(errors)
        self.was_repeated = was_repeated
        """An earlier request that got no answer may have done what was asked."""


class Unreachable(JobyardError):
    """No answer of a Jobyard API came, however often it was asked."""


class SettingsError(JobyardError):
    """The API's URL, the token, the workspace or the project is not known."""


class Problem(NamedTuple):
    """A mistake in a file; `line` counts from 1."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.field} " if self.field else ""
        return f"{self.file}:{self.line}: {where}{self.message}"


class ManifestError(JobyardError):
    """A manifest that cannot be used; `problems` are all of its mistakes, by line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda one: (one.file, one.line)))
        super().__init__("\n".join(map(str, self.problems)))
