"""
The system under test: the real handlers over moto. The test decides when events are delivered.

Of our own code only the clock is replaced; AWS is moto with the fidelity layer of infra/local.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from moto import mock_aws

import app
from chalicelib import clock
from chalicelib.domain import ecs_task
from chalicelib.domain.sweep_parts import LAUNCHES
from chalicelib.http.api import Api
from chalicelib.settings import Settings, read_settings
from chalicelib.system import System
from chalicelib.tables.records import Job
from chalicelib.tables.run_records import Run
from infra.local import fidelity, provision

START = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
WORKSPACE = "acme"
PROJECT = "etl"
BASE = f"/workspaces/{WORKSPACE}/projects/{PROJECT}"
IMAGE = "public.ecr.aws/docker/library/busybox:1.36"


class Clock(clock.Clock):
    """The clock that the test moves; only waiting takes real time."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def __call__(self) -> datetime:
        return self.at

    def move(self, **span: float) -> datetime:
        self.at += timedelta(**span)
        return self.at


class Context:
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class Answer:
    """The answer to a request."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.status = raw["statusCode"]
        self.headers = raw["headers"]
        self.text = raw["body"]
        is_json = self.headers["Content-Type"] == "application/json"
        self.envelope: Any = json.loads(self.text) if is_json else {}
        self.data: Any = self.envelope.get("data")


class Calls:
    """The AWS calls that botocore is asked to make, as `service.Operation`, in order."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def note(self, model: Any, **_: Any) -> None:
        self.made.append(f"{model.service_model.service_name}.{model.name}")

    @property
    def counted(self) -> dict[str, int]:
        return dict(Counter(self.made))


class Yard:
    """The system, and the methods with which a test uses it."""

    def __init__(self, aws: fidelity.Fidelity, clock: Clock) -> None:
        self.aws = aws
        self.clock = clock
        self.use(System(read_settings(os.environ), clock))
        self.events: list[dict[str, Any]] = []
        self.aws.ecs.subscribe(self.events.append)
        self.parts: list[dict[str, Any]] = []
        """Parts of the sweep that were handed out, until the test delivers them."""
        name = self.system.settings.sweep_part_function
        assert name is not None
        self.aws.functions.handlers[name] = self.parts.append
        self.token = self.make_token("write")

    def use(self, system: System) -> None:
        """Let the handlers use `system`."""
        self.system = system
        app.app.system = system

    def set_up(self, settings: Settings) -> None:
        """Change the settings, as for a warm function that was deployed again."""
        system = System(settings, self.clock)
        system.clients = self.system.clients
        system.tokens = self.system.tokens
        self.use(system)

    def make_token(
        self, role: str, workspace: str = WORKSPACE, projects: list[str] | None = None
    ) -> str:
        text, _ = self.system.tokens.create(
            workspace, role, projects=projects, name="test", life=None, now=self.clock()
        )
        return text

    # requests over HTTP

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        base: str = BASE,
        through: Api = app.app,
    ) -> Answer:
        """Send one request as API Gateway does."""
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        pairs = {name: v if isinstance(v, list) else [str(v)] for name, v in (query or {}).items()}
        event = {
            "resource": "/{proxy+}",
            "path": base + path,
            "httpMethod": method,
            "headers": sent,
            "multiValueHeaders": {name: [value] for name, value in sent.items()},
            "queryStringParameters": {name: v[-1] for name, v in pairs.items()} or None,
            "multiValueQueryStringParameters": pairs or None,
            "pathParameters": {"proxy": (base + path).lstrip("/")},
            "stageVariables": None,
            "requestContext": {
                "resourcePath": "/{proxy+}",
                "httpMethod": method,
                "requestId": Context.aws_request_id,
            },
            "body": body if isinstance(body, str) or body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        return Answer(through(event, Context()))

    def create(self, **spec: Any) -> dict[str, Any]:
        """Create a job over HTTP."""
        spec = {"name": f"job {len(self.aws.ecs.tasks)}-{self.clock.at}", "image": IMAGE} | spec
        answer = self.call("POST", "/jobs", spec)
        assert answer.status == 201, answer.envelope
        return dict(answer.data)

    def trigger(self, job: dict[str, Any], **overrides: Any) -> dict[str, Any]:
        """Trigger a run over HTTP."""
        answer = self.call("POST", f"/jobs/{job['id']}/runs", overrides or None)
        assert answer.status == 201, answer.envelope
        return dict(answer.data)

    def run(self, run: dict[str, Any]) -> dict[str, Any]:
        """The run as GET shows it."""
        answer = self.call("GET", f"/jobs/{run['job_id']}/runs/{run['id']}")
        assert answer.status == 200, answer.envelope
        return dict(answer.data)

    def runs(self, job: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
        answer = self.call("GET", f"/jobs/{job['id']}/runs", query=query)
        assert answer.status == 200, answer.envelope
        return list(answer.data["runs"])

    def status(self, job: dict[str, Any]) -> dict[str, Any]:
        answer = self.call("GET", f"/jobs/{job['id']}/status")
        assert answer.status == 200, answer.envelope
        return dict(answer.data)

    def counts(self, job: dict[str, Any]) -> dict[str, int]:
        """The run counts of a job that are not zero."""
        return {name: n for name, n in self.status(job)["run_counts"].items() if n}

    # access without HTTP

    def stored(self, run: dict[str, Any]) -> Run:
        found = self.system.runs_table.get(run["job_id"], run["id"])
        assert found is not None
        return found

    def stored_job(self, job: dict[str, Any]) -> Job:
        project = f"{job['workspace_id']}#{job['project_id']}"
        found = self.system.jobs_table.get(project, job["id"])
        assert found is not None
        return found

    def task_of(self, run: dict[str, Any]) -> str:
        """The ARN of a run's current task."""
        arn = self.stored(run).task_arn
        assert arn is not None
        return arn

    def deliver(self, *events: dict[str, Any]) -> None:
        """Give state-change events to their handler: the given ones, or all that were sent."""
        for event in events or self.take_events():
            self.system.lifecycle.apply_task(ecs_task.read_task(event["detail"]))

    def take_events(self) -> list[dict[str, Any]]:
        taken, self.events[:] = list(self.events), []
        return taken

    def finish(self, run: dict[str, Any], exit_code: int = 0, **why: Any) -> None:
        """Start and end the container of a run, and deliver its events."""
        arn = self.task_of(run)
        self.aws.ecs.start(arn)
        self.aws.ecs.stop(arn, exit_code=exit_code, **why)
        self.deliver()

    def sweep(self, **later: float) -> None:
        """Run the sweep, after moving the clock."""
        self.clock.move(**later)
        self.system.sweep.turn()

    def deliver_parts(self) -> None:
        """
        Hand all parts of the sweep to their handler, one after the other: the launches last, since
        on AWS they go on while the others claim.
        """
        taken, self.parts[:] = sorted(self.parts, key=_is_launches), []
        for part in taken:
            self.system.sweep.part(part)

    def audit(self, **later: float) -> None:
        self.clock.move(**later)
        self.system.audit.turn()

    def fire(self, job: dict[str, Any], slot: datetime | None = None) -> str:
        """Fire the job's rule for a slot, or for this minute if none is given."""
        at = slot or self.clock.at.replace(second=0, microsecond=0)
        return self.system.scheduler.fired(f"{WORKSPACE}#{PROJECT}", job["id"], at)

    @contextlib.contextmanager
    def counting(self) -> Iterator[Calls]:
        """Record the AWS calls that are made inside."""
        calls = Calls()
        services = ("ecs", "events", "logs", "cloudwatch", "lambda")
        clients = [
            self.system.database.client,
            *(self.system.clients.get(service) for service in services),
        ]
        for client in clients:
            client.meta.events.register("before-call.*.*", calls.note)
        try:
            yield calls
        finally:
            for client in clients:
                client.meta.events.unregister("before-call.*.*", calls.note)


def _is_launches(part: dict[str, Any]) -> bool:
    return bool(part["part"] == LAUNCHES["part"])


@contextlib.contextmanager
def make_yard(stage: str, clock: Clock | None = None) -> Iterator[Yard]:
    """A fresh system over an empty moto."""
    clock = clock or Clock()
    with mock_aws(), fidelity.install(now=clock) as aws:
        provision.create(stage)
        yield Yard(aws, clock)


def rules() -> list[tuple[str, str]]:
    """The expression and state of each EventBridge rule."""
    return [
        (rule["ScheduleExpression"], rule["State"])
        for rule in boto3.client("events").list_rules()["Rules"]
    ]
