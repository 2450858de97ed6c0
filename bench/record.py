"""Records one request or event of each kind, with everything that AWS answers to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from bench.play import Context
from bench.system import NAMES, event, system
from bench.tape import Exchange, recording

if TYPE_CHECKING:
    from tests.yard import Yard

LINES = 100
"""The number of lines in a run's log."""
SPEC = {"name": "nightly", "image": "public.ecr.aws/docker/library/busybox:1.36"}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What `bench.play` needs to repeat one call."""

    name: str
    handler: str
    """The handler's name in app.py."""
    event: dict[str, Any]
    at: str
    """The time of the recording, in ISO 8601."""
    tape: list[Exchange]
    token_calls: int
    """How many of the first calls a function leaves out that has the token in its cache."""
    status: int | None
    """The status of the answer, if the call is a request."""

    def json(self) -> str:
        return json.dumps(asdict(self))


@cache  # a process has one system, and the cold and the warm part may share it
def record(page: int) -> tuple[Recorded, ...]:
    """A call of every route and of every event handler; `page` is the length of lists."""
    with system() as yard:
        return tuple(_one(yard, *call) for call in _calls(yard, page))


def _one(yard: Yard, name: str, handler: str, sent: dict[str, Any]) -> Recorded:
    import app

    app.app.system.tokens.forget()
    with recording() as tape:
        answer = getattr(app, handler)(sent, Context())
    status = answer.get("statusCode")
    if status is not None and status >= 300:
        raise AssertionError(f"{name} answered {answer}")
    is_known = status is not None and "Authorization" in sent["headers"] and sent["pathParameters"]
    yard.take_events()
    at = yard.clock.at.isoformat()
    return Recorded(name, handler, sent, at, tape, 1 if is_known else 0, status)


Call = tuple[str, str, dict[str, Any]]


def _calls(yard: Yard, page: int) -> Iterator[Call]:
    """Yield each call; the caller makes it before it takes the next, which may depend on it."""
    yard.call("GET", "/jobs")  # writes the token's first use of the day
    yield "sweep, nothing due", "sweep", scheduled(yard.clock.at.isoformat())
    for number in range(page):
        yard.create(name=f"job {number}")
    job = yard.create(**SPEC, command=["sh", "-c", "echo hello"], env={"MODE": "full"})
    finished = [_finished(yard, job) for _ in range(page)]
    running = yard.trigger(job)
    yard.aws.ecs.start(yard.task_of(running))
    yard.deliver()
    yield from _reads(yard, page, job, finished[-1], running)
    yield from _writes(yard, job, running)
    yield from _events(yard, job)


def _finished(yard: Yard, job: dict[str, Any]) -> dict[str, Any]:
    run = yard.trigger(job)
    group, task = yard.system.settings.log_group(job["id"]), yard.task_of(run).rpartition("/")[2]
    names = {"logGroupName": group, "logStreamName": f"run/main/{task}"}
    logs = boto3.client("logs")
    logs.create_log_stream(**names)
    now = int(yard.clock.at.timestamp() * 1000)
    lines = [{"timestamp": now + n, "message": f"line {n} of {LINES}"} for n in range(LINES)]
    logs.put_log_events(**names, logEvents=lines)  # type: ignore[arg-type]  # **names is too wide
    yard.clock.move(seconds=2)
    yard.finish(run)
    return run


def _route(yard: Yard, **more: Any) -> Callable[..., Call]:
    """Returns a function that makes requests with these path parameters and this yard's token."""
    names = {**NAMES, **more}

    def make(
        name: str, method: str, path: str, body: Any = None, query: dict[str, str] | None = None
    ) -> Call:
        used = {key: value for key, value in names.items() if f"{{{key}}}" in path}
        text = None if body is None else json.dumps(body)
        return name, "app", event(method, path, yard.token, used, text, query)

    return make


def _reads(
    yard: Yard,
    page: int,
    job: dict[str, Any],
    finished: dict[str, Any],
    running: dict[str, Any],
) -> Iterator[Call]:
    from app import JOB, JOBS, RUN, RUNS
    from chalicelib.http.api import PROJECT

    limit = {"limit": str(page)}
    over = _route(yard, job_id=job["id"], run_id=finished["id"])
    alive = _route(yard, job_id=job["id"], run_id=running["id"])
    yield over("health", "GET", "/health")
    yield over("openapi.json", "GET", "/openapi.json")
    yield over("jobs.schema.json", "GET", "/jobs.schema.json")
    yield over("the console's page", "GET", "/console")
    yield over(f"list jobs, {page}", "GET", JOBS, query=limit)
    active = limit | {"include": "activity"}
    yield over(f"list jobs with activity, {page}", "GET", JOBS, query=active)
    yield over("get a job", "GET", JOB)
    yield over("job status", "GET", f"{JOB}/status")
    yield over(f"list runs, {page}", "GET", RUNS, query=limit)
    yield over("get a finished run", "GET", RUN)
    yield alive("get a run in flight", "GET", RUN)
    yield over(f"run logs, {LINES} lines", "GET", f"{RUN}/logs", query={"limit": str(LINES)})
    yield over(f"job logs, {LINES} lines", "GET", f"{JOB}/logs", query={"limit": str(LINES)})
    yield over(
        "a schedule's next slots", "GET", f"{PROJECT}/schedule", query={"expression": "0 3 * * 1-5"}
    )
    yield over("a month's cost", "GET", f"{PROJECT}/cost")
    yield over("upcoming", "GET", f"{PROJECT}/upcoming")
    yield over("the audit trail", "GET", f"{PROJECT}/audit")
    yield over(f"list a project's runs, {page}", "GET", f"{PROJECT}/runs", query=limit)
    yield over("a job's upcoming", "GET", f"{JOB}/upcoming")
    yield over("run metrics", "GET", f"{RUN}/metrics")
    yield over("job metrics", "GET", f"{JOB}/metrics")


def _writes(yard: Yard, job: dict[str, Any], running: dict[str, Any]) -> Iterator[Call]:
    from app import JOB, JOBS, RUN, RUNS

    on = _route(yard, job_id=job["id"], run_id=running["id"])
    spec = {**SPEC, "command": ["sh", "-c", "echo hello"], "env": {"MODE": "full"}}
    yield on("create a job", "POST", JOBS, {**spec, "name": "on demand"})
    yield on(
        "create a scheduled job",
        "POST",
        JOBS,
        {**spec, "name": "scheduled", "schedule": "0 3 * * 1-5", "timezone": "Europe/Berlin"},
    )
    yield on("update a job's tags", "PATCH", JOB, {"tags": ["team=data"]})
    yield on("trigger a run", "POST", RUNS)
    yield on("cancel a run", "POST", f"{RUN}/cancel")
    yard.deliver()
    other = yard.create(name="to delete")
    yield _route(yard, job_id=other["id"])("delete a job", "DELETE", JOB)


def _events(yard: Yard, job: dict[str, Any]) -> Iterator[Call]:
    run = yard.trigger(job)
    yard.take_events()
    arn = yard.task_of(run)
    yard.aws.ecs.start(arn)
    yield "task running", "task_changed", yard.take_events()[-1]
    yard.aws.ecs.stop(arn, exit_code=0)
    yield "task stopped", "task_changed", yard.take_events()[-1]
    due = yard.create(name="due", schedule="* * * * *")
    slot = yard.clock.move(minutes=1).replace(second=0, microsecond=0)
    sent = {"job": due["id"], "project": job_project(), "time": slot.isoformat()}
    yield "a schedule fires", "fire", sent


def scheduled(time: str) -> dict[str, Any]:
    """The event that EventBridge sends on a schedule."""
    return {
        "version": "0",
        "id": "00000000-0000-4000-8000-000000000000",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "region": "eu-central-1",
        "resources": [],
        "detail": {},
        "time": time,
    }


def job_project() -> str:
    return f"{NAMES['workspace_id']}#{NAMES['project_id']}"
