"""What each handler of app.py does, for GET /openapi.json: its body, its answers, its conflicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from chalicelib.domain.job_spec import JobCreate, JobPatch, RunOverrides
from chalicelib.http import answer_models, cost_models, trail_models
from chalicelib.http.answer_types import Answered


@dataclass(frozen=True, slots=True)
class Operation:
    """What the route table does not know about a handler."""

    summary: str
    data: type[Answered] | None = None
    """Of its success; None: null."""
    success: Mapping[int, str] = field(default_factory=lambda: {200: "As asked"})
    body: type[BaseModel] | None = None
    body_is_optional: bool = False
    idempotent_by_key: bool = False
    conflict: str = ""
    """When it answers 409."""
    shows_version: bool = False
    """Whether its success carries the ETag of the job that it shows."""
    is_conditional: bool = False
    """Whether it takes If-Match."""
    judges_query: bool = False
    """Whether it answers 422 for what is well-formed as a query and means nothing."""
    links: tuple[str, ...] = ()
    """Operations that take the id of what this one made."""


_METRICS = {200: "All metrics", 207: "Some metrics say themselves that they failed"}

OPERATIONS = {
    "health": Operation("Whether the API answers"),
    "get_openapi": Operation("This description"),
    "get_jobs_schema": Operation("The JSON Schema of jobs.yaml, for editors"),
    "list_jobs": Operation("List jobs, newest first", answer_models.JobList),
    "create_job": Operation(
        "Create a job",
        answer_models.Job,
        {201: "Created", 200: "Created by an earlier request with this Idempotency-Key"},
        body=JobCreate,
        shows_version=True,
        idempotent_by_key=True,
        conflict="The name is taken (`job_name_taken`), or the Idempotency-Key came with another "
        "body (`idempotency_key_reused`).",
        links=(
            *("get_job", "update_job", "delete_job", "get_status", "trigger_run", "list_runs"),
            *("get_job_logs", "get_job_metrics"),
        ),
    ),
    "get_job": Operation("Get a job", answer_models.Job, shows_version=True),
    "update_job": Operation(
        "Update a job: an omitted field stays, null resets to the default",
        answer_models.Job,
        {200: "Updated; it takes effect on the next run"},
        body=JobPatch,
        shows_version=True,
        is_conditional=True,
        conflict="The name is taken (`job_name_taken`), or others change the job all the time.",
    ),
    "delete_job": Operation(
        "Delete a job with all of its runs, logs and rules",
        success={200: "Deleted"},
        is_conditional=True,
        conflict="Others change the job all the time.",
    ),
    "get_status": Operation("A job's latest run, counts and next slot", answer_models.JobStatus),
    "get_schedule": Operation(
        "What a schedule means, before a job has it", answer_models.Schedule, judges_query=True
    ),
    "list_upcoming": Operation("The next slots of all jobs, ascending", answer_models.Upcoming),
    "list_job_upcoming": Operation("The next slots of a job, ascending", answer_models.Upcoming),
    "get_cost": Operation(
        "What the runs of a project cost in a month, estimated", cost_models.ProjectCost
    ),
    "trigger_run": Operation(
        "Trigger a run",
        answer_models.Run,
        {201: "Triggered; it is pending", 200: "Triggered by an earlier request with this key"},
        body=RunOverrides,
        body_is_optional=True,
        idempotent_by_key=True,
        conflict="The Idempotency-Key came with another body (`idempotency_key_reused`), or "
        "others change the job all the time.",
        links=(
            *("get_run", "cancel_run", "cancel_run_by_delete"),
            *("get_run_logs", "get_run_metrics"),
        ),
    ),
    "list_runs": Operation("List a job's runs, newest first", answer_models.RunList),
    "list_project_runs": Operation(
        "List the runs of a project, newest first", answer_models.RunList
    ),
    "get_run": Operation("Get a run as it is now", answer_models.Run),
    "cancel_run": Operation(
        "Cancel a run that is pending or running",
        success={200: "Cancelled"},
        conflict="The run is over already (`run_already_finished`).",
    ),
    "list_audit_entries": Operation(
        "List who changed jobs, cancelled runs, and made or revoked tokens, newest first",
        trail_models.AuditEntryList,
    ),
    "get_job_logs": Operation("Lines of all runs of a job", answer_models.Logs),
    "get_run_logs": Operation("Lines of one run", answer_models.Logs),
    "get_job_metrics": Operation(
        "CPU and memory of all runs of a job",
        answer_models.Metrics,
        _METRICS,
    ),
    "get_run_metrics": Operation(
        "CPU and memory of one run",
        answer_models.Metrics,
        _METRICS,
    ),
}
