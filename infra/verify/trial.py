"""What a step of `make verify` works with: the stage, its API, its AWS clients and the deadline."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config

from infra.api_client import TRIES, Answer, Api, NoAnswer
from infra.verify.cost import Spent

PAUSE = 2.0
"""Seconds between two looks at the same thing."""
TERMINAL = ("succeeded", "failed", "cancelled")
PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 6})


class Wrong(Exception):
    """The stage does something else than it should; the message says what."""


class Skipped(Exception):
    """The stage is set up so that this cannot be tried; the message says why."""


class CutOff(Exception):
    """Ctrl-C, or the overall deadline: the step ends here."""


@dataclass(frozen=True)
class Step:
    """Something that users rely on, tried once."""

    name: str
    waits_for: str
    act: Callable[[Trial], str]
    """Returns what happened. Raises Wrong, Skipped, CutOff, or NotOk."""


@dataclass
class Trial:
    """One `make verify`. Steps use it from several threads at once."""

    stage: str
    image: str
    insights: str
    """The stage's parameter ContainerInsights."""
    api: Api
    workspace: str
    project: str
    suffix: str
    """Part of the name of each job that this trial makes, so that it finds them all again."""
    until: float
    """Of the monotonic clock: no step goes on after that."""
    ended: threading.Event = field(default_factory=threading.Event)
    findings: list[str] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)
    begun_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    made: list[str] = field(default_factory=list)
    """Ids of the jobs that this trial has made, deleted or not."""

    def __post_init__(self) -> None:
        # made here, in one thread: boto3's default session cannot be used by several
        self.ecs: Any = boto3.client("ecs", config=PATIENT)
        self.events: Any = boto3.client("events", config=PATIENT)
        self.logs: Any = boto3.client("logs", config=PATIENT)
        self.dynamodb: Any = boto3.client("dynamodb", config=PATIENT)
        self.cloudwatch: Any = boto3.client("cloudwatch", config=PATIENT)

    @property
    def prefix(self) -> str:
        return f"jobyard-{self.stage}"

    def family(self, job_id: str) -> str:
        return f"{self.prefix}-{job_id}"

    @contextmanager
    def job(self, name: str, script: str = "true", **fields: Any) -> Iterator[str]:
        """A job that runs `script`, deleted afterwards; its id."""
        what = {"image": self.image, "command": ["sh", "-c", script], **fields}
        spec = {"name": f"{name} {self.suffix}", **what}
        job_id = str(self.api.ask("POST", "jobs", spec, creates=True)["id"])
        self.made.append(job_id)
        try:
            yield job_id
        finally:
            self.forget(job_id)

    def forget(self, job_id: str) -> None:
        """Add up what the runs of a job have cost, and delete it; it may be deleted already."""
        if self.answer("GET", f"jobs/{job_id}").status == 404:
            return
        try:
            self.spent.add(job_id, self.runs(job_id))
        finally:
            self.api.ask("DELETE", f"jobs/{job_id}")

    def runs(self, job_id: str, only: str = "") -> list[dict[str, Any]]:
        """The job's runs, newest first; `only` is a query."""
        found: list[dict[str, Any]] = self.api.ask("GET", f"jobs/{job_id}/runs{only}")["runs"]
        return found

    def trigger(self, job_id: str) -> str:
        """Start a run; its path."""
        run = self.api.ask("POST", f"jobs/{job_id}/runs", creates=True)
        return f"jobs/{job_id}/runs/{run['id']}"

    def finished(self, path: str, seconds: float) -> dict[str, Any]:
        """The run at `path` once it is over."""

        def look() -> dict[str, Any] | None:
            run: dict[str, Any] = self.api.ask("GET", path)
            return run if run["status"] in TERMINAL else None

        run: dict[str, Any] = self.wait(look, "the run is not over", seconds)
        return run

    def running(self, path: str, seconds: float) -> dict[str, Any]:
        """The run at `path` once its container runs."""

        def look() -> dict[str, Any] | None:
            run: dict[str, Any] = self.api.ask("GET", path)
            if run["status"] in TERMINAL:
                raise Wrong(
                    f"the run is {run['status']} before it was seen running: {run['error']}"
                )
            return run if run["status"] == "running" else None

        run: dict[str, Any] = self.wait(look, "the run does not start", seconds)
        return run

    def output(self, path: str, query: str = "", seconds: float = 60) -> list[str]:
        """Lines of the run at `path`, once CloudWatch has any."""
        address = f"{path}/logs{query}"
        lines: list[dict[str, Any]] = self.wait(
            lambda: self.api.ask("GET", address)["logs"], f"no line of {address} appears", seconds
        )
        return [line["message"] for line in lines]

    def wait(self, look: Callable[[], Any], failure: str, seconds: float) -> Any:
        """The first true answer of `look`. Raises Wrong with `failure` after `seconds`."""
        give_up = time.monotonic() + seconds
        while True:
            if self.ended.is_set() or time.monotonic() > self.until:
                raise CutOff
            if found := look():
                return found
            if time.monotonic() > give_up:
                raise Wrong(f"{failure} after {seconds:.0f} s")
            self.ended.wait(PAUSE)

    def answer(self, method: str, path: str, *, token: str | None = None) -> Answer:
        """Any answer to a request without a body, which is repeated if no answer comes."""
        for left in reversed(range(TRIES)):
            try:
                return self.api.call(method, path, token=token)
            except NoAnswer:
                if not left or self.ended.is_set():
                    raise
        raise AssertionError("unreachable: the last turn returns or raises")

    def log_line(self, message: str, about: str) -> dict[str, Any] | None:
        """
        What the stage's functions have logged as `message` about a job or a run, with its `stream`.

        The stream's name has that of the function (Lambda, "Configuring CloudWatch log groups").
        """
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{self.prefix}",
            filterPattern=f'"{about}"',
            startTime=self.begun_ms,
        )
        for event in (event for page in pages for event in page["events"]):
            line = json.loads(event["message"]) if event["message"].startswith("{") else {}
            if line.get("message") == message:
                return {**line, "stream": event["logStreamName"]}
        return None

    def find(self, what: str) -> None:
        """Note something that AWS's documentation does not settle."""
        self.findings.append(what)


def expect(holds: bool, otherwise: str) -> None:
    """Raises Wrong with `otherwise` unless it holds."""
    if not holds:
        raise Wrong(otherwise)


def moment(text: str) -> datetime:
    """A time as the API writes it."""
    return datetime.fromisoformat(text)


def seconds_between(earlier: str, later: str) -> float:
    return (moment(later) - moment(earlier)).total_seconds()
