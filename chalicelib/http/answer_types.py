"""Types that models of answers share (see `answer_models`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"
Time = Annotated[str, Field(pattern=TIME, json_schema_extra={"format": "date-time"})]
JobId = Annotated[str, Field(pattern="^job_[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
RunId = Annotated[str, Field(pattern="^run_[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
Count = Annotated[int, Field(ge=0)]
Cursor = Annotated[str | None, Field(description="Opaque; null at the end.")]
Status = Literal["pending", "running", "succeeded", "failed", "cancelled"]
ErrorCode = Literal[
    "nonzero_exit",
    "out_of_memory",
    "timed_out",
    "image_pull_failed",
    "start_failed",
    "capacity_unavailable",
    "infrastructure",
    "spot_interrupted",
    "lost",
    "cancelled_by_user",
    "replaced",
    "skipped_overlap",
    "skipped_queue_full",
    "skipped_quota",
    "missed_deadline",
    "job_deleted",
]


RanOn = Annotated[
    Literal["on_demand", "spot"] | None,
    Field(description="What its last task was launched on; null: it had none."),
]


class Answered(BaseModel):
    """Part of an answer."""

    model_config = ConfigDict(strict=True)
