"""
What answers look like: `data` of each kind, as models, for GET /openapi.json.

Views make the JSON itself; a test validates what they make against these. Only openapi.py
imports them, so that no other request pays for them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.domain.notices import Kind
from chalicelib.http.answer_types import (
    Answered,
    Count,
    Cursor,
    ErrorCode,
    JobId,
    RanOn,
    RunId,
    Status,
    Time,
)
from chalicelib.http.attempt_models import Attempt, RunError
from chalicelib.http.cost_models import CostOrNull, MonthlyUsd
from chalicelib.http.trail_models import BySchedule, ByToken


class Job(Answered):
    """A job as it is configured now."""

    id: JobId
    workspace_id: str
    project_id: str
    name: str
    image: str
    entrypoint: list[str] | None
    command: list[str] | None
    env: dict[str, str]
    secrets: dict[str, str]
    tags: list[str]
    schedule: str | None
    schedule_text: Annotated[
        str | None, Field(description="The schedule in words, read only; null: on demand.")
    ]
    timezone: str
    paused: bool
    concurrency_policy: Literal["allow", "forbid", "replace", "queue"]
    max_concurrent_runs: int
    jitter_seconds: int
    starting_deadline_seconds: int
    cpu: Annotated[float, Field(description="vCPU")]
    memory_mib: int
    architecture: Literal["x86_64", "arm64"]
    capacity: Literal["on_demand", "spot", "spot_then_on_demand"]
    task_role_arn: str | None
    timeout_seconds: int
    max_retries: int
    notify: list[Kind]
    managed_by: Annotated[str | None, Field(description="Which manifest made it; null: none.")]
    version: Annotated[
        int, Field(ge=1, description="Raised by every change; the ETag is made of it.")
    ]
    created_at: Time
    updated_at: Time
    next_run_at: Annotated[
        Time | None, Field(description="When the next slot starts; null on demand, or paused.")
    ]
    wake: Annotated[
        Literal["rule", "sweep"] | None,
        Field(
            description="What wakes the schedule: `rule`, rules of EventBridge, or `sweep`, where "
            "the account has no room for them or the stage makes none; null on demand."
        ),
    ]


class Schedule(Answered):
    """What a schedule means."""

    text: Annotated[str, Field(description="In words, without the zone.")]
    timezone: str
    slots: Annotated[list[Time], Field(description="Ascending; fewer if 50 years hold no more.")]


class Slot(Answered):
    """A slot to come: a minute at which a job is due."""

    job_id: JobId
    job_name: str
    scheduled_for: Time
    due_at: Annotated[Time, Field(description="When it starts: the slot, and the jitter.")]


class Upcoming(Answered):
    """Ascending by `due_at`."""

    slots: list[Slot]
    is_complete: Annotated[
        bool, Field(description="Whether these are all; false: `limit`, or time, cut the list.")
    ]


class Run(Answered):
    """A run as it is now."""

    id: RunId
    job_id: JobId
    job_name: Annotated[str, Field(description="As it was when the run was made.")]
    job_version: int
    status: Annotated[Status, Field(description="The last three are terminal: they never change.")]
    trigger: Literal["manual", "schedule"]
    triggered_by: Annotated[
        ByToken | BySchedule | None,
        Field(description="Null in a run of a version that did not record it."),
    ]
    scheduled_for: Time | None
    due_at: Annotated[Time | None, Field(description="The slot, and the job's jitter.")]
    attempt: Annotated[int, Field(ge=1)]
    max_attempts: Annotated[int, Field(ge=1)]
    retry_at: Time | None
    waits_for: Annotated[
        list[RunId] | None,
        Field(
            description="While it waits for its turn (`queue`) or for those that it replaces: the "
            "first ten of the runs that were in its way when it was made. Null: for no run."
        ),
    ]
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    duration_seconds: float | None
    exit_code: int | None
    error: RunError | None
    attempts: list[Attempt]
    image: str
    command: list[str] | None
    cpu: float
    memory_mib: int
    task_arn: str | None
    capacity: RanOn
    cost: CostOrNull
    observed_at: Annotated[Time | None, Field(description="When the backend was last asked.")]


class RunList(Answered):
    """Newest first."""

    runs: list[Run]
    next_cursor: Cursor


class RunCounts(Answered):
    """Lifetime counts: runs that retention removed stay counted."""

    pending: Count
    running: Count
    succeeded: Count
    failed: Count
    cancelled: Count
    skipped: Annotated[
        int, Field(ge=0, description="Slots that were skipped or missed; in no other count.")
    ]
    total: Count


class RecentRun(Answered):
    """As much of a run as a list of jobs shows."""

    id: RunId
    status: Status
    error_code: ErrorCode | None
    trigger: Literal["manual", "schedule"]
    created_at: Time
    started_at: Time | None
    finished_at: Annotated[
        Time | None, Field(description="Of a cancelled run: when it was cancelled.")
    ]


class Activity(Answered):
    """How a job does."""

    run_counts: RunCounts
    consecutive_failures: Count
    last_succeeded_at: Time | None
    in_flight: Annotated[
        int,
        Field(ge=0, description="Runs that are not over, and those whose containers still stop."),
    ]
    recent_runs: Annotated[
        list[RecentRun],
        Field(description="Newest first, at most 20: in flight, and those that finished last."),
    ]
    cost_this_month: MonthlyUsd


class ListedJob(Job):
    """A job in a list."""

    activity: Annotated[Activity | None, Field(description="Only with `include=activity`.")] = None


class JobList(Answered):
    """Newest first."""

    jobs: list[ListedJob]
    next_cursor: Cursor


class JobStatus(Answered):
    """A job's latest run, its counts and its next slot."""

    job_id: JobId
    latest_run: Run | None
    run_counts: RunCounts
    consecutive_failures: Count
    last_succeeded_at: Time | None
    cost_this_month: MonthlyUsd
    schedule: Annotated[
        str | None, Field(description="Null without a schedule, as are the next three.")
    ]
    timezone: str | None
    paused: bool | None
    next_run_at: Annotated[Time | None, Field(description="Null while paused, too.")]


class LogLine(Answered):
    """One line of a container's output."""

    timestamp: Time
    message: str
    run_id: Annotated[RunId | None, Field(description="Null where the run is not known any more.")]
    attempt: int | None


class Logs(Answered):
    """Lines in time order."""

    logs: list[LogLine]
    next_cursor: Annotated[
        str | None, Field(description="Goes on behind the last line; null: nothing more can come.")
    ]
    previous_cursor: Annotated[
        str | None, Field(description="Goes back before the first line; null at the beginning.")
    ]


class Point(Answered):
    """One value of a time series."""

    timestamp: Time
    value: float


class Series(Answered):
    """A metric that could be read."""

    status: Literal["success"]
    unit: Literal["cores", "bytes"]
    points: list[Point]


class FailedSeries(Answered):
    """A metric that could not be read or does not exist."""

    status: Literal["error"]
    message: str
    code: str


class Metrics(Answered):
    """Each metric says for itself whether it could be read."""

    start: Time
    end: Time
    period_seconds: int
    metrics: dict[str, Series | FailedSeries]
