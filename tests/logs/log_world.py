"""One job's log lines in CloudWatch (moto), and its runs as the reader of logs needs them."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from moto import mock_aws

from chalicelib.cloud.aws import Clients
from chalicelib.domain import spent_tasks
from chalicelib.http.queries import LogsQuery
from chalicelib.http.room import LineRoom
from chalicelib.settings import read_settings
from chalicelib.system import System
from chalicelib.tables.run_records import Run
from chalicelib.usecases.logs import JobLogs, LogPage, LogsRequest
from infra.local.fidelity.log_events import EVENT_OVERHEAD, MAX_BYTES, MAX_EVENTS
from infra.local.fidelity.logs import LogsFidelity
from tests.cloudwatch_world import WorldClock, counting

START = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
JOB = "job_01KAR0000000000000000000AA"
ARN = "arn:aws:ecs:eu-central-1:123456789012:task/jobyard-test/"
UP_TO = 10_000


class World:
    """The log group of one job, its tasks, and the use-case that reads logs."""

    def __init__(self, cloudwatch: LogsFidelity) -> None:
        self.cloudwatch = cloudwatch
        self.now = START
        self.clock = WorldClock(self)
        self.system = System(read_settings(os.environ), self.clock)
        self.group = self.system.settings.log_group(JOB)
        self.tasks: dict[str, tuple[str, int]] = {}
        self.calls: Counter[str] = Counter()
        self.client: Any = self.system.clients.get("logs")
        self.client.create_log_group(logGroupName=self.group)

    def try_once(self) -> None:
        """Make the system's calls without botocore's second and third attempts."""
        self.system = System(self.system.settings, self.clock)
        self.system.clients = Clients(self.system.settings.region, self.clock, attempts=1)

    def move(self, **span: float) -> None:
        self.now += timedelta(**span)

    @property
    def ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    def run(self, name: str = "run_01KAR0000000000000000000AA") -> Run:
        """A run that was just triggered."""
        return Run(JOB, name, attempt=1, live=name, created_at=self.now, status="pending")

    def start(self, run: Run, task: str) -> str:
        """Give the run's current attempt a task whose log stream exists."""
        run.task_arn = ARN + task
        self.tasks[task] = (run.run_id, int(run.attempt))
        self.client.create_log_stream(logGroupName=self.group, logStreamName=f"run/main/{task}")
        return task

    def end_attempt(self, run: Run, *, retry: bool = False) -> None:
        """End the current attempt's task, and the run too unless it is retried."""
        record = {
            "attempt": int(run.attempt),
            "task_arn": run.task_arn,
            "finished_at": self.now.isoformat(),
        }
        if spent_tasks.interrupted(run.spent_tasks):
            record["spent_tasks"] = run.spent_tasks
        run.spent_tasks = None
        run.past_attempts = [*(run.past_attempts or []), record]
        if retry:
            run.attempt += 1
            run.task_arn = None
        else:
            run.live, run.finished_at = None, self.now

    def interrupt(self, run: Run) -> None:
        """Spot interrupts the current task, and the attempt waits to be launched again."""
        ended = {"task_arn": run.task_arn, "started_at": None, "finished_at": self.now.isoformat()}
        self._launch_again(run, ended)

    def fail_to_start(self, run: Run) -> None:
        """The current task does not start, and the attempt waits to be launched again."""
        self._launch_again(run, run.task_arn)

    def _launch_again(self, run: Run, task: Any) -> None:
        run.spent_tasks = [*(run.spent_tasks or []), task]
        run.task_arn = None

    def put(self, task: str, lines: Sequence[tuple[int, str]]) -> None:
        """Write lines of a task: pairs of epoch ms and text, in the order of time."""
        batch: list[dict[str, Any]] = []
        room = MAX_BYTES
        for at, text in lines:
            room -= len(text.encode()) + EVENT_OVERHEAD
            if room < 0 or len(batch) == MAX_EVENTS:
                self._send(task, batch)
                batch, room = [], MAX_BYTES - len(text.encode()) - EVENT_OVERHEAD
            batch.append({"timestamp": at, "message": text})
        self._send(task, batch)

    def _send(self, task: str, batch: list[dict[str, Any]]) -> None:
        self.client.put_log_events(
            logGroupName=self.group, logStreamName=f"run/main/{task}", logEvents=batch
        )

    def say(self, task: str, *texts: str) -> None:
        """Write lines of a task with the current time."""
        self.put(task, [(self.ms, text) for text in texts])

    def of_run(self, run: Run, cursor: dict[str, Any] | None = None, **query: Any) -> LogPage:
        with self.counting():
            return self._logs.of_run(run, _asked(LogsQuery(**query), cursor))

    def of_job(self, cursor: dict[str, Any] | None = None, **query: Any) -> LogPage:
        with self.counting():
            return self._logs.of_job(JOB, _asked(LogsQuery(**query), cursor))

    @property
    def _logs(self) -> JobLogs:
        def find(job_id: str, ids: set[str]) -> dict[str, tuple[str, int]]:
            return {task: self.tasks[task] for task in ids & self.tasks.keys()}

        system = self.system
        return JobLogs(system.cloudwatch_logs, find, system.settings, system.clock)

    def counting(self) -> contextlib.AbstractContextManager[None]:
        """Count the calls of CloudWatch that are made inside, in `calls`."""
        return counting(self.system.clients.get("logs"), self.calls)


@contextlib.contextmanager
def make_world() -> Iterator[World]:
    """A world with an empty log group."""
    clock: list[World] = []
    with mock_aws(), LogsFidelity.install(now=lambda: clock[0].now) as cloudwatch:
        clock.append(World(cloudwatch))
        yield clock[0]


def _asked(query: LogsQuery, cursor: dict[str, Any] | None) -> LogsRequest:
    return LogsRequest(query.window, query.limit, query.filter, cursor, LineRoom())


def texts(page: LogPage) -> list[str]:
    return [line.message for line in page.lines]


def numbered(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]
