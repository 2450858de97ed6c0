"""Which ECS tasks a run has had: its output and its metrics are found by their ids. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from chalicelib.domain.spent_tasks import Spent, arns, interrupted


class RunLike(Protocol):
    """What of a run is read here; tables.records.Run is one."""

    attempt: Any
    task_arn: Any
    spent_tasks: Any
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
    """One task of an attempt."""

    attempt: int
    task_id: str
    ended_at: datetime | None
    """None: it may still run."""
    has_output: bool = True
    """False: it did not start, and the attempt was launched again."""


def tasks_of(run: RunLike) -> list[RunTask]:
    """
    The tasks of each attempt, in order; they never overlap in time. An attempt has several if some
    did not start or were interrupted.
    """
    found: dict[str, RunTask] = {}
    for past in run.past_attempts or []:
        found |= _spent(int(past["attempt"]), past.get("spent_tasks"))
        if past["task_arn"] is not None:
            ended = datetime.fromisoformat(past["finished_at"])
            task = RunTask(int(past["attempt"]), task_id(past["task_arn"]), ended)
            found[task.task_id] = task
    if len(run.past_attempts or []) < run.attempt:
        found |= _spent(int(run.attempt), run.spent_tasks)
    if run.task_arn is not None and task_id(run.task_arn) not in found:
        # the last attempt of a cancelled run does not become a past one
        ended_at = None if run.live is not None else run.finished_at
        task = RunTask(int(run.attempt), task_id(run.task_arn), ended_at)
        found[task.task_id] = task
    return list(found.values())


def new_task(run: RunLike, changes: Mapping[str, Any]) -> str | None:
    """
    ARN of the task that a change is the first to mention, also that of an attempt that ends or is
    interrupted.
    """
    ended: list[dict[str, Any]] = changes.get("past_attempts") or [{}]
    arn: str | None = changes.get("task_arn") or ended[-1].get("task_arn")
    if arn is None and interrupted(changes.get("spent_tasks")):
        arn = arns(changes["spent_tasks"])[-1]
    return None if arn == run.task_arn else arn


def _spent(attempt: int, spent: Spent) -> dict[str, RunTask]:
    tasks = []
    for one in spent or []:
        if isinstance(one, str):
            tasks.append(RunTask(attempt, task_id(one), None, has_output=False))
        else:
            ended = datetime.fromisoformat(one["finished_at"])
            tasks.append(RunTask(attempt, task_id(one["task_arn"]), ended))
    return {task.task_id: task for task in tasks}


def task_id(name: str) -> str:
    """The last part of a task's ARN, or of the name of its log stream."""
    return name.rsplit("/", 1)[-1]
