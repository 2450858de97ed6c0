"""Which ECS tasks a run has had: its output and its metrics are found by their ids. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


class RunLike(Protocol):
    """What of a run is read here; tables.records.Run is one."""

    attempt: Any
    task_arn: Any
    past_attempts: Any
    live: Any
    created_at: Any
    started_at: Any
    finished_at: Any

    @property
    def job_id(self) -> str: ...

    @property
    def run_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class RunTask:
    """The task of one attempt."""

    attempt: int
    task_id: str
    ended_at: datetime | None
    """None: it may still run."""


def tasks_of(run: RunLike) -> list[RunTask]:
    """The task of each attempt that was given one, in order; they never overlap in time."""
    found: dict[str, RunTask] = {}
    for past in run.past_attempts or []:
        if past["task_arn"] is not None:
            ended = datetime.fromisoformat(past["finished_at"])
            task = RunTask(int(past["attempt"]), task_id(past["task_arn"]), ended)
            found[task.task_id] = task
    if run.task_arn is not None and task_id(run.task_arn) not in found:
        # the last attempt of a cancelled run does not become a past one
        ended_at = None if run.live is not None else run.finished_at
        task = RunTask(int(run.attempt), task_id(run.task_arn), ended_at)
        found[task.task_id] = task
    return list(found.values())


def task_id(name: str) -> str:
    """The last part of a task's ARN, or of the name of its log stream."""
    return name.rsplit("/", 1)[-1]
