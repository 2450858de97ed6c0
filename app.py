"""Every route and event handler of Jobyard, and no logic: what the system does, on one page."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from chalicelib import ids, jobs, lifecycle, log, runs, states, transitions, views
from chalicelib.api import PROJECT, Api
from chalicelib.cloud import aws
from chalicelib.http import (
    Answer,
    Document,
    Request,
    body_hash,
    created,
    decode_cursor,
    encode_cursor,
    multi,
    ok,
    replayed,
    tagged,
)
from chalicelib.lazy import lazily
from chalicelib.queries import ListJobs, ListRuns, LogsQuery, MetricsQuery
from chalicelib.services import services
from chalicelib.specs import JobCreate, JobPatch, RunOverrides

if TYPE_CHECKING:
    from chalicelib import audit as auditing
    from chalicelib import logs, metrics, openapi, reconcile, scheduler
else:
    auditing, logs, metrics, openapi, reconcile, scheduler = lazily(
        "audit", "logs", "metrics", "openapi", "reconcile", "scheduler"
    )

JOBS = f"{PROJECT}/jobs"
JOB = f"{JOBS}/{{job_id}}"
RUNS = f"{JOB}/runs"
RUN = f"{RUNS}/{{run_id}}"

EVENT_SECONDS = 20.0
"""For one event; Lambda's time-out of these functions is longer, so that an answer gets out."""

app = Api("jobyard")


@app.get("/health", role=None)
def health(request: Request) -> Answer:
    return ok("Jobyard answers.")


@app.get("/openapi.json", role=None)
def get_openapi(request: Request) -> Answer:
    return Document(200, "", _description())


@cache
def _description() -> dict[str, Any]:
    return openapi.build(app.endpoints)


@app.get(JOBS, role="read", query=ListJobs)
def list_jobs(request: Request) -> Answer:
    query = request.query(ListJobs)
    scope = f"{request.project}/jobs"
    found, last = jobs.list_page(
        request.project,
        limit=query.limit,
        before=_before(query.cursor, "jobs", scope, ids.JOB),
        name=query.name,
        tags=query.tag,
    )
    cursor = last and encode_cursor("jobs", scope, {"before": last})
    return ok(f"{len(found)} job(s).", {"jobs": found, "next_cursor": cursor})


@app.post(JOBS, role="write")
def create_job(request: Request) -> Answer:
    key = request.idempotency_key
    spec = request.parse(JobCreate)
    job, is_new = jobs.create(
        request.project, spec, key=key, body_hash=body_hash(spec), on=services()
    )
    shown = views.job(job)
    if not is_new:
        return tagged(replayed("The job was created before.", shown), job.version)
    return tagged(created("The job was created.", shown, f"jobs/{job.job_id}"), job.version)


@app.get(JOB, role="read")
def get_job(request: Request, job_id: str) -> Answer:
    job = jobs.get(request.project, job_id)
    return tagged(ok("The job.", views.job(job)), job.version)


@app.patch(JOB, role="write")
@app.put(JOB, role="write")
def update_job(request: Request, job_id: str) -> Answer:
    condition = request.if_match
    job = jobs.update(
        request.project, job_id, request.parse(JobPatch), if_match=condition, on=services()
    )
    updated = ok("The job was updated; it takes effect on the next run.", views.job(job))
    return tagged(updated, job.version)


@app.delete(JOB, role="write")
def delete_job(request: Request, job_id: str) -> Answer:
    jobs.delete(request.project, job_id, if_match=request.if_match, on=services())
    return ok("The job was deleted.")


@app.get(f"{JOB}/status", role="read")
def get_status(request: Request, job_id: str) -> Answer:
    return ok("The job's status.", jobs.status(request.project, job_id, on=services()))


@app.post(RUNS, role="run")
def trigger_run(request: Request, job_id: str) -> Answer:
    key = request.idempotency_key
    wanted = request.parse_optional(RunOverrides)
    run, is_new = runs.trigger(
        request.project, job_id, wanted, key=key, body_hash=body_hash(wanted), on=services()
    )
    if not is_new:
        return replayed("The run was triggered before.", run)
    return created("The run was triggered.", run, f"runs/{run['id']}")


@app.get(RUNS, role="read", query=ListRuns)
def list_runs(request: Request, job_id: str) -> Answer:
    query = request.query(ListRuns)
    found, last = runs.list_page(
        request.project,
        job_id,
        limit=query.limit,
        before=_before(query.cursor, "runs", job_id, ids.RUN),
        status=query.status,
        trigger=query.trigger,
        on=services(),
    )
    cursor = last and encode_cursor("runs", job_id, {"before": last})
    return ok(f"{len(found)} run(s).", {"runs": found, "next_cursor": cursor})


@app.get(RUN, role="read")
def get_run(request: Request, job_id: str, run_id: str) -> Answer:
    return ok("The run.", views.run(runs.get(request.project, job_id, run_id, on=services())))


@app.post(f"{RUN}/cancel", role="run")
@app.delete(RUN, role="run")
def cancel_run(request: Request, job_id: str, run_id: str) -> Answer:
    runs.cancel(request.project, job_id, run_id, on=services())
    return ok("The run was cancelled.")


def _before(cursor: str | None, kind: str, scope: str, form: re.Pattern[str]) -> str | None:
    return None if cursor is None else decode_cursor(kind, scope, cursor, before=form)["before"]


@app.get(f"{JOB}/logs", role="read", query=LogsQuery)
def get_job_logs(request: Request, job_id: str) -> Answer:
    query = request.query(LogsQuery)
    jobs.get(request.project, job_id)
    cursor = query.cursor and decode_cursor("logs", job_id, query.cursor)
    page = logs.job_logs(
        job_id, query, cursor or None, find_runs=runs.finder(job_id), on=services()
    )
    return _lines(page, job_id)


@app.get(f"{RUN}/logs", role="read", query=LogsQuery)
def get_run_logs(request: Request, job_id: str, run_id: str) -> Answer:
    query = request.query(LogsQuery)
    _, run = runs.find(request.project, job_id, run_id, on=services())
    cursor = query.cursor and decode_cursor("logs", run_id, query.cursor)
    return _lines(logs.run_logs(run, query, cursor or None, on=services()), run_id)


def _lines(page: logs.LogPage, scope: str) -> Answer:
    data = {
        "logs": [line.as_dict() for line in page.lines],
        "next_cursor": page.next_cursor and encode_cursor("logs", scope, page.next_cursor),
        "previous_cursor": page.previous_cursor
        and encode_cursor("logs", scope, page.previous_cursor),
    }
    cut = " The answer is partial: go on with its cursor." if page.is_partial else ""
    return ok(f"{len(page.lines)} line(s).{cut}", data)


@app.get(f"{JOB}/metrics", role="read", query=MetricsQuery)
def get_job_metrics(request: Request, job_id: str) -> Answer:
    jobs.get(request.project, job_id)
    return _metrics(metrics.job_metrics(job_id, request.query(MetricsQuery), on=services()))


@app.get(f"{RUN}/metrics", role="read", query=MetricsQuery)
def get_run_metrics(request: Request, job_id: str, run_id: str) -> Answer:
    _, run = runs.find(request.project, job_id, run_id, on=services())
    return _metrics(metrics.run_metrics(run, request.query(MetricsQuery), on=services()))


def _metrics(result: metrics.MetricsResult) -> Answer:
    data = {
        "start": transitions.iso(result.start),
        "end": transitions.iso(result.end),
        "period_seconds": result.period_seconds,
        "metrics": result.metrics,
    }
    if result.ok:
        return ok("All metrics.", data)
    return multi("Some metrics failed; each says why.", data)


@app.on_cw_event({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]})
def task_changed(event: Any) -> dict[str, Any]:
    """A task of our cluster changed its state."""
    log.bind(str(getattr(event.context, "aws_request_id", "")))
    with aws.deadline(EVENT_SECONDS):
        run = lifecycle.task_seen(states.read_task(event.detail), on=services())
    return {"run_id": run.run_id if run else None}


@app.lambda_function()
def fire(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A schedule's rule fired."""
    log.bind(str(getattr(context, "aws_request_id", "")))
    slot = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    with aws.deadline(EVENT_SECONDS):
        outcome = scheduler.fired(event["project"], event["job"], slot, on=services())
    log.info("fired", job_id=event["job"], slot=event["time"], outcome=outcome)
    return {"outcome": outcome}


@app.schedule("rate(1 minute)")
def sweep(event: Any) -> dict[str, Any]:
    """Whatever events and callers left undone."""
    log.bind(str(getattr(event.context, "aws_request_id", "")))
    return dict(reconcile.sweep(on=services()))


@app.schedule("rate(10 minutes)")
def audit(event: Any) -> dict[str, Any]:
    """What exists against what should."""
    log.bind(str(getattr(event.context, "aws_request_id", "")))
    return dict(auditing.turn(on=services()))
