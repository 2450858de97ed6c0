"""Every route and event handler of Jobyard, and no logic: what the system does, on one page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chalicelib import log
from chalicelib.domain import ecs_task, times
from chalicelib.http import listing as lists
from chalicelib.http import log_answers, metric_answers, views
from chalicelib.http.answer import Answer, Document, created, ok, replayed, tagged
from chalicelib.http.api import PROJECT, Api
from chalicelib.http.request import Request
from chalicelib.system import System

if TYPE_CHECKING:
    from chalicelib.http import queries

JOBS = f"{PROJECT}/jobs"
JOB = f"{JOBS}/{{job_id}}"
RUNS = f"{JOB}/runs"
RUN = f"{RUNS}/{{run_id}}"

EVENT_SECONDS = 20.0
"""For one event; Lambda's time-out of these functions is longer, so that an answer gets out."""

app = Api("jobyard", System.of_environment)


@app.get("/health", role=None)
def health(request: Request) -> Answer:
    return ok("Jobyard answers.")


@app.get("/openapi.json", role=None)
def get_openapi(request: Request) -> Answer:
    from chalicelib.http import openapi

    return Document(200, "", openapi.of(app))


@app.get("/jobs.schema.json", role=None)
def get_jobs_schema(request: Request) -> Answer:
    from chalicelib.http import jobs_schema

    return Document(200, "", jobs_schema.build())


@app.get("/console", role=None, is_described=False)
@app.get("/console/{file}", role=None, is_described=False)
def get_console(request: Request, file: str | None = None) -> Answer:
    from chalicelib.http import console

    return console.answer(file, request.address, request.headers.get("if-none-match"))


@app.get(JOBS, role="read", query="ListJobs")
def list_jobs(request: Request) -> Answer:
    query: queries.ListJobs = request.asked
    listing = lists.of_jobs(request.project, query.cursor)
    page = request.system.jobs.list_page(
        request.project,
        limit=query.most,
        before=listing.before,
        name=query.name,
        tags=query.tag,
        fits=listing.room.fits,
    )
    if query.include is None:
        return listing.answer(page)
    activity = request.system.activities.of_jobs(request.project, page.records)
    return listing.answer(page, lambda job: {"activity": views.activity(activity[job.job_id])})


@app.post(JOBS, role="write")
def create_job(request: Request) -> Answer:
    from chalicelib.domain.job_spec import JobCreate

    spec = request.parse(JobCreate)
    job, is_new = request.system.jobs.create(
        request.project, spec, request.once(spec), request.actor
    )
    shown = views.job(job)
    if not is_new:
        return tagged(replayed("The job was created before.", shown), job.version)
    return tagged(created("The job was created.", shown, f"jobs/{job.job_id}"), job.version)


@app.get(JOB, role="read")
def get_job(request: Request, job_id: str) -> Answer:
    job = request.system.jobs.get(request.project, job_id)
    return tagged(ok("The job.", views.job(job)), job.version)


@app.patch(JOB, role="write")
@app.put(JOB, role="write")
def update_job(request: Request, job_id: str) -> Answer:
    from chalicelib.domain.job_spec import JobPatch

    condition, patch, by = request.if_match, request.parse(JobPatch), request.actor
    job = request.system.jobs.update(request.project, job_id, patch, by, condition)
    updated = ok("The job was updated; it takes effect on the next run.", views.job(job))
    return tagged(updated, job.version)


@app.delete(JOB, role="write")
def delete_job(request: Request, job_id: str) -> Answer:
    request.system.jobs.delete(request.project, job_id, request.actor, request.if_match)
    return ok("The job was deleted.")


@app.get(f"{JOB}/status", role="read")
def get_status(request: Request, job_id: str) -> Answer:
    status = request.system.activities.status(request.project, job_id)
    return ok("The job's status.", views.status(status))


@app.get(f"{PROJECT}/schedule", role="read", query="PreviewQuery")
def get_schedule(request: Request) -> Answer:
    query: queries.PreviewQuery = request.asked
    found = request.system.schedules.preview(query.expression, query.timezone, query.count)
    return ok("What the schedule means.", views.schedule(found))


@app.get(f"{PROJECT}/upcoming", role="read", query="UpcomingQuery")
def list_upcoming(request: Request) -> Answer:
    query: queries.UpcomingQuery = request.asked
    found = request.system.schedules.of_project(request.project, query.until, query.limit)
    return ok(f"{len(found.slots)} slot(s).", views.upcoming(found))


@app.get(f"{JOB}/upcoming", role="read", query="UpcomingQuery")
def list_job_upcoming(request: Request, job_id: str) -> Answer:
    query: queries.UpcomingQuery = request.asked
    found = request.system.schedules.of_job(request.project, job_id, query.until, query.limit)
    return ok(f"{len(found.slots)} slot(s).", views.upcoming(found))


@app.get(f"{PROJECT}/cost", role="read", query="CostQuery")
def get_cost(request: Request) -> Answer:
    found = request.system.costs.of_month(request.project, request.asked.month)
    return ok("An estimate of what the month's runs cost.", views.month_cost(found))


@app.post(RUNS, role="run")
def trigger_run(request: Request, job_id: str) -> Answer:
    from chalicelib.domain.job_spec import RunOverrides

    wanted = request.parse_optional(RunOverrides)
    once, by = request.once(wanted), request.actor
    run, is_new = request.system.runs.trigger(request.project, job_id, wanted, once, by)
    if not is_new:
        return replayed("The run was triggered before.", views.run(run))
    return created("The run was triggered.", views.run(run), f"runs/{run.run_id}")


@app.get(RUNS, role="read", query="ListRuns")
def list_runs(request: Request, job_id: str) -> Answer:
    query: queries.ListRuns = request.asked
    listing = lists.of_runs("runs", job_id, query.cursor)
    page = request.system.runs.list_page(
        request.project,
        job_id,
        limit=query.limit,
        before=listing.before,
        status=query.status,
        trigger=query.trigger,
        fits=listing.room.fits,
    )
    return listing.answer(page)


@app.get(f"{PROJECT}/runs", role="read", query="ListProjectRuns")
def list_project_runs(request: Request) -> Answer:
    from chalicelib.usecases.project_runs import Wanted

    query: queries.ListProjectRuns = request.asked
    listing = lists.of_runs("project-runs", request.project, query.cursor)
    page = request.system.runs_of_projects.list_page(
        request.project,
        Wanted(query.status, query.trigger, query.since, query.until),
        limit=query.limit,
        before=listing.before,
        fits=listing.room.fits,
    )
    return listing.answer(page)


@app.get(RUN, role="read")
def get_run(request: Request, job_id: str, run_id: str) -> Answer:
    return ok("The run.", views.run(request.system.runs.get(request.project, job_id, run_id)))


@app.post(f"{RUN}/cancel", role="run")
@app.delete(RUN, role="run")
def cancel_run(request: Request, job_id: str, run_id: str) -> Answer:
    request.system.runs.cancel(request.project, job_id, run_id, request.actor)
    return ok("The run was cancelled.")


@app.get(f"{PROJECT}/audit", role="write", query="AuditQuery")
def list_audit_entries(request: Request) -> Answer:
    query: queries.AuditQuery = request.asked
    listing = lists.of_audit_entries(request.project, query.cursor)
    span, before, fits = (query.since, query.until), listing.before, listing.room.fits
    page = request.system.trail.list_page(request.project, span, query.limit, before, fits)
    return listing.answer(page)


@app.get(f"{JOB}/logs", role="read", query="LogsQuery")
def get_job_logs(request: Request, job_id: str) -> Answer:
    query: queries.LogsQuery = request.asked
    request.system.jobs.get(request.project, job_id)
    page = request.system.logs.of_job(job_id, log_answers.asked(query, job_id))
    return log_answers.lines(page, job_id)


@app.get(f"{RUN}/logs", role="read", query="LogsQuery")
def get_run_logs(request: Request, job_id: str, run_id: str) -> Answer:
    query: queries.LogsQuery = request.asked
    run = request.system.runs.find(request.project, job_id, run_id)
    page = request.system.logs.of_run(run, log_answers.asked(query, run_id))
    return log_answers.lines(page, run_id)


@app.get(f"{JOB}/metrics", role="read", query="MetricsQuery")
def get_job_metrics(request: Request, job_id: str) -> Answer:
    query: queries.MetricsQuery = request.asked
    request.system.jobs.get(request.project, job_id)
    return metric_answers.metrics(request.system.metrics.of_job(job_id, query.window, query.names))


@app.get(f"{RUN}/metrics", role="read", query="MetricsQuery")
def get_run_metrics(request: Request, job_id: str, run_id: str) -> Answer:
    query: queries.MetricsQuery = request.asked
    run = request.system.runs.find(request.project, job_id, run_id)
    return metric_answers.metrics(request.system.metrics.of_run(run, query.window, query.names))


app.check_closed()


@app.middleware("cloudwatch")
@app.middleware("scheduled")
@app.middleware("pure_lambda")
def bind_request_id(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Every line that is logged for an event carries its invocation's id."""
    log.bind(str(getattr(event.context, "aws_request_id", "")))
    return get_response(event)


@app.on_cw_event({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]})
def task_changed(event: Any) -> dict[str, Any]:
    """A task of our cluster changed its state."""
    task = ecs_task.read_task(event.detail)
    ids = {"task": task.arn, "started_by": task.started_by}
    with log.reported("task event not handled", **ids), app.system.clock.deadline(EVENT_SECONDS):
        run = app.system.lifecycle.apply_task(task)
    return {"run_id": run.run_id if run else None}


@app.lambda_function()
def fire(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A schedule's rule fired."""
    slot, ids = times.read(event["time"]), {"job_id": event["job"], "slot": event["time"]}
    with log.reported("fire not handled", **ids), app.system.clock.deadline(EVENT_SECONDS):
        outcome = app.system.scheduler.fired(event["project"], event["job"], slot)
    log.info("fired", **ids, outcome=outcome)
    return {"outcome": outcome}


@app.schedule("cron(* * * * ? *)")
def sweep(event: Any) -> dict[str, Any]:
    """Whatever events and callers left undone, and every minute's slots that no rule wakes."""
    with log.reported("sweep failed"):
        return dict(app.system.sweep.turn(times.read(event.to_dict()["time"])))


@app.lambda_function()
def sweep_part(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A part of a sweep that has more to do than one function can in its minute."""
    with log.reported("part of the sweep failed", **event):
        return dict(app.system.sweep.part(event))


@app.schedule("rate(10 minutes)")
def audit(event: Any) -> dict[str, Any]:
    """What exists against what should."""
    with log.reported("audit failed"):
        return dict(app.system.audit.turn())


@app.lambda_function()
def job_resource(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A stack creates, updates or deletes a Custom::JobyardJob."""
    from chalicelib.http import custom_resource

    with log.reported("stack request not answered"):
        return custom_resource.handle(event, context, app.system)
