"""What the attempts of a run look like in answers (see answer_models.py)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chalicelib.http.answer_types import Answered, ErrorCode, RanOn, Time
from chalicelib.http.cost_models import CostOrNull


class RunError(Answered):
    """Why a run did not succeed."""

    code: ErrorCode
    message: Annotated[str, Field(description="AWS's own reason where there is one.")]
    hint: Annotated[str, Field(description="What the reader can do.")]


class Attempt(Answered):
    """One task of a run, or several, if Spot interrupted some."""

    attempt: Annotated[int, Field(ge=1)]
    task_arn: str | None
    started_at: Time | None
    finished_at: Time | None
    exit_code: int | None
    error: RunError | None
    capacity: RanOn
    interruptions: Annotated[
        int, Field(ge=0, description="How often Spot interrupted it and it was started again.")
    ]
    cost: CostOrNull
