"""
The whole system in one process: AWS, the API, the local Fargate and the rule clock.

Nothing here is known to the product: it gets its settings by environment, as in Lambda, and its
handlers are called as API Gateway, EventBridge and Lambda call them.
"""

from __future__ import annotations

import importlib
import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from infra.local import METRIC_POINTS, OUTPUT_MB, REGION, environment, provision, template
from infra.local.aws_server import AwsServer
from infra.local.clock import RuleClock, Ticker, scheduled_event
from infra.local.engines.choice import HOW_TO_START, choose
from infra.local.fargate import Fargate
from infra.local.gateway import Gateway
from infra.local.invoker import Invoker
from infra.local.lambda_context import Context
from infra.local.notifier import Notifier
from infra.local.owner import Owner
from infra.local.spot import STEADY, Spot

STAGE = "local"
WORKSPACE = "local"
PROJECT = "demo"
"""Of a shell that sources .local/env, until it says otherwise."""
SWEEP_SECONDS = 10
"""Deployed it is a minute; on a laptop nobody wants to wait for what a sweep repairs."""
AUDIT_SECONDS = 600
TICK_SECONDS = 60
PARTS_AT_ONCE = 8
"""Of a sweep that hands out its parts, besides everything else that goes on."""
SECONDS = 60
"""For one sweep or audit, as Lambda's time-out of these functions."""

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Access:
    """What a client needs."""

    url: str
    token: str
    aws_endpoint: str
    region: str

    def project_url(self, project: str) -> str:
        return f"{self.url}/workspaces/{WORKSPACE}/projects/{project}"

    @property
    def console_url(self) -> str:
        """The console, signed in. What stands behind the # is not sent to the server."""
        return f"{self.url}/console#/{WORKSPACE}/{PROJECT}?token={self.token}"

    @property
    def variables(self) -> dict[str, str]:
        """For a shell: those of jobyard and of the AWS CLI."""
        return {
            "JOBYARD_URL": self.url,
            "JOBYARD_TOKEN": self.token,
            "JOBYARD_WORKSPACE": WORKSPACE,
            "JOBYARD_PROJECT": PROJECT,
            "AWS_ENDPOINT_URL": self.aws_endpoint,
            "AWS_ACCESS_KEY_ID": environment.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": environment.SECRET_KEY,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,  # else the shell's own would be read first
        }


class Stack:
    """
    Everything, started; `close` leaves no thread, child, container or file of a task.

    Only an engine that does not answer any more may keep containers: `close` says which.
    """

    def __init__(
        self,
        *,
        engine: str,
        port: int,
        cap: int,
        directory: Path,
        output_mb: int = OUTPUT_MB,
        demo: bool = False,
        notify: str | None = None,
        origins: str = "",
        spot: Spot = STEADY,
        max_runs: int = 0,
        max_jobs: int = 0,
    ) -> None:
        """
        1. Drop what the shell knows of AWS, before anything could use it.
        2. Start AWS, make the tables and the cluster, and say so in the environment.
        3. Import the product, which reads its settings there, and make a token.
        4. Start what moves: the local Fargate, the events, the clock, the API.

        Raises NoEngine and OSError (a taken port), with nothing left running.
        """
        self._left: list[str] = []
        with ExitStack() as started:
            environment.isolate(os.environ, REGION)
            self.aws = AwsServer()
            started.callback(self.aws.close)
            self.aws.fidelity.logs.kept.limit = output_mb << 20
            self.aws.fidelity.metrics.limit = METRIC_POINTS
            os.environ["AWS_ENDPOINT_URL"] = self.aws.url
            os.environ.update(provision.create(STAGE))
            if notify is not None:
                os.environ["JOBYARD_EVENT_BUS"] = "default"
            os.environ["JOBYARD_ALLOWED_ORIGINS"] = origins
            os.environ["JOBYARD_MAX_RUNS_IN_FLIGHT"] = str(max_runs)
            os.environ["JOBYARD_MAX_JOBS"] = str(max_jobs)
            app = importlib.import_module("app")
            self.engine = choose(engine, _task_environment(self.aws.url))
            fargate = Fargate(
                self.aws.fidelity.ecs,
                self.engine,
                _own_directory(directory, started),
                self.aws.client,
                cap,
                spot.interrupt_after,
            )
            self.aws.fidelity.ecs.has_spot_capacity = spot.has_capacity
            self._fargate = fargate
            started.callback(lambda: self._left.extend(fargate.close()))
            if demo:
                from infra.local.sample_history import History

                # before the sweep could take its slots of the past for missed ones
                History(app.app.system, self.aws.client, f"{WORKSPACE}#{PROJECT}").write()
            self._start_events(app, started)
            gateway = Gateway(app.app, app.app.routes, port)
            started.callback(gateway.close)
            if notify is not None:
                self._tell(notify, gateway.url, started)
            self._system = app.app.system
            self.access = Access(gateway.url, _token(app.app.system), self.aws.url, REGION)
            self._started = started.pop_all()

    def _tell(self, address: str, api_url: str, started: ExitStack) -> None:
        """Deliver what people are told of jobs to a webhook."""
        notifier = Notifier(address, api_url, STAGE)
        started.callback(notifier.close)
        subscribers = self.aws.fidelity.events.subscribers
        subscribers.append(notifier.take)
        started.callback(subscribers.remove, notifier.take)

    def jobs(self, project: str) -> list[Any]:
        """The records of a project's jobs, newest first."""
        found = self._system.jobs_table.newest(f"{WORKSPACE}#{project}", before=None, limit=None)
        return list(found)

    def close(self) -> list[str]:
        """What may be left because the container engine did not answer, in words."""
        self._started.close()
        return self._left

    def remaining(self) -> list[str]:
        """What of the tasks is on the machine now, in words."""
        return self._fargate.remaining()

    @property
    def engine_words(self) -> str:
        """What runs the tasks, for a person; with no engine in two lines how to start one."""
        if (url := getattr(self.engine, "url", None)) is not None:
            return f"containers, by the engine at {url}"
        return f"processes of this machine; images are not used\n{HOW_TO_START}"

    def _start_events(self, app: ModuleType, started: ExitStack) -> None:
        invoker = Invoker()
        started.callback(invoker.close)
        ecs = self.aws.fidelity.ecs
        statuses = template.statuses_of_task_events()

        def deliver(event: dict[str, Any]) -> None:
            if event["detail"]["lastStatus"] in statuses:
                invoker.invoke(app.task_changed, event, key=event["resources"][0])

        ecs.subscribe(deliver)
        # Of what is killed at the end nobody needs to hear.
        started.callback(ecs.subscribers.remove, deliver)
        parts = Invoker(PARTS_AT_ONCE)
        started.callback(parts.close)

        def begin_part(event: dict[str, Any]) -> None:
            parts.invoke(app.sweep_part, event, key=str(sorted(event.items())))

        self.aws.fidelity.functions.handlers[os.environ["JOBYARD_SWEEP_PART_FUNCTION"]] = begin_part
        functions = {os.environ["JOBYARD_FIRE_FUNCTION_ARN"]: app.fire}
        clock = RuleClock(self.aws.client("events"), functions, invoker)
        for ticker in (
            Ticker(TICK_SECONDS, clock.fire),
            Ticker(SWEEP_SECONDS, lambda at: app.sweep(_turn("sweep", at), Context(SECONDS))),
            Ticker(AUDIT_SECONDS, lambda at: app.audit(_turn("audit", at), Context(SECONDS))),
        ):
            started.callback(ticker.close)


def _turn(name: str, at: datetime) -> dict[str, Any]:
    account, region = provision.ACCOUNT, REGION
    return scheduled_event(f"arn:aws:events:{region}:{account}:rule/jobyard-{STAGE}-{name}", at)


def _token(system: Any) -> str:
    text, _ = system.tokens.create(
        WORKSPACE, "write", projects=None, name="local", life=None, now=system.clock.now()
    )
    return str(text)


def _task_environment(aws_endpoint: str) -> dict[str, str]:
    """What a process task sees of AWS: this machine's, so that it cannot reach the real one."""
    return {name: os.environ[name] for name in sorted(os.environ) if name.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": aws_endpoint
    }


def _own_directory(directory: Path, started: ExitStack) -> Path:
    """A directory for this stack's tasks; those of stacks that are gone are removed."""
    tasks = directory / "tasks"
    tasks.mkdir(parents=True, exist_ok=True)
    this = Owner.this()
    for other in tasks.iterdir():
        pid, _, since = other.name.partition("-")
        if Owner(this.host, int(pid), int(since)).is_gone:
            shutil.rmtree(other, ignore_errors=True)
    own = tasks / f"{this.pid}-{this.started}"
    own.mkdir(exist_ok=True)
    started.callback(shutil.rmtree, own, ignore_errors=True)
    return own.resolve()
