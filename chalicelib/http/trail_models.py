"""What answers say about who did something: models for GET /openapi.json (see `answer_models`)."""

from __future__ import annotations

from typing import Literal

from chalicelib.http.answer_types import Answered


class ByToken(Answered):
    """Whoever holds that token."""

    kind: Literal["token"]
    id: str
    name: str


class BySchedule(Answered):
    """A slot of the job's schedule."""

    kind: Literal["schedule"]
