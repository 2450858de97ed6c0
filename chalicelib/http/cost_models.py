"""What costs look like in answers (see answer_models.py)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.http.answer_types import Answered, JobId


class Cost(Answered):
    """What a run or an attempt cost: an estimate, not the bill."""

    usd: Annotated[float, Field(ge=0, description="US dollars, before taxes and discounts.")]
    vcpu_seconds: Annotated[float, Field(ge=0)]
    gib_seconds: Annotated[float, Field(ge=0)]
    price_date: Annotated[
        str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="Of the prices it is made with.")
    ]
    is_estimate: Literal[True]


CostOrNull = Annotated[
    Cost | None,
    Field(
        description="An estimate, so far while a task is up; null before a task started, and where "
        "Jobyard does not know the region's price."
    ),
]
MonthlyUsd = Annotated[
    float | None,
    Field(
        ge=0,
        description="An estimate of what the runs that ended this month (UTC) cost, in US dollars; "
        "null where the price is not known.",
    ),
]


class JobCost(Answered):
    """What the runs of a job cost in a month."""

    job_id: JobId
    job_name: Annotated[str, Field(description="Also of a job that was deleted since.")]
    usd: Annotated[float | None, Field(ge=0, description="An estimate; null: not known.")]
    runs: Annotated[int, Field(ge=0, description="That ended in the month and had a task.")]
    runs_without_price: Annotated[int, Field(ge=0, description="Those that `usd` leaves out.")]


class ProjectCost(Answered):
    """What the runs of a project cost that ended in a month; the dearest job first."""

    month: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]
    jobs: list[JobCost]
    usd: Annotated[float | None, Field(ge=0, description="An estimate; null: not known.")]
