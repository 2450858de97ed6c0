"""RunTask, DescribeTasks, StopTask and ListTasks, answered as ECS answers them."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from infra.local.fidelity.moto_ecs import TaskDefinitionNotFoundException
from infra.local.fidelity.run_task import (
    EcsError,
    capacity_provider,
    check_against,
    check_request,
    invalid,
    tags_of_task,
)
from infra.local.fidelity.tasks import Task

TOKEN_LIFE = timedelta(hours=24)
TOKEN_LIFE_AFTER_TASK = timedelta(hours=1)
PAGE = 100


@dataclass(frozen=True, slots=True)
class Failure:
    """RunTask's 200 that carries no task but a failure, such as `RESOURCE:ENI`."""

    reason: str
    detail: str | None = None
    arn: str | None = None

    def as_json(self) -> dict[str, str]:
        fields = {"arn": self.arn, "reason": self.reason, "detail": self.detail}
        return {key: value for key, value in fields.items() if value is not None}


NO_CAPACITY = Failure(
    "Capacity is unavailable at this time. Please try again later or in a different "
    "availability zone"
)
"""What Fargate answers while it has none ("API failure reasons" of the ECS developer guide)."""

NOTHING: tuple[()] = ()
"""RunTask's 200 with neither a task nor a failure, as a refusal for `refuse_next`."""

Refusal = EcsError | Failure | tuple[()]


@dataclass(frozen=True, slots=True)
class Token:
    request: str
    tasks: tuple[Task, ...]
    made_at: datetime

    def is_alive(self, now: datetime) -> bool:
        ends = [task.stopped_at for task in self.tasks if task.stopped_at is not None]
        if len(ends) == len(self.tasks) and now - max(ends) >= TOKEN_LIFE_AFTER_TASK:
            return False
        return now - self.made_at < TOKEN_LIFE


class Ecs(Protocol):
    """What the operations need of the store of tasks."""

    now: Callable[[], datetime]
    visible_after: timedelta
    store: dict[str, Task]
    tokens: dict[tuple[str, str], Token]
    refusals: defaultdict[str, deque[Refusal]]
    has_spot_capacity: bool
    on_run: list[Callable[[Task], None]]
    on_stop: list[Callable[[Task], None]]

    def move(self, task: Task, status: str, now: datetime) -> None: ...

    def emit(self, task: Task, now: datetime) -> None: ...


def _raise_refusal(ecs: Ecs, operation: str) -> None:
    waiting = ecs.refusals[operation]
    if waiting and isinstance(error := waiting[0], EcsError):
        waiting.popleft()
        raise error


def run_task(ecs: Ecs, response: Any) -> dict[str, Any]:
    _raise_refusal(ecs, "RunTask")
    now, params = ecs.now(), dict(response.params)
    _forget(ecs, now)
    check_request(params)
    cluster = response.ecs_backend._get_cluster(params.get("cluster", "default"))
    token = (cluster.arn, params.pop("clientToken", None) or str(uuid.uuid4()))
    request = json.dumps(params, sort_keys=True)
    if (made := ecs.tokens.get(token)) is not None:
        return _replay(made, request)
    if ecs.refusals["RunTask"]:
        refusal = ecs.refusals["RunTask"].popleft()
        failures = [refusal.as_json()] if isinstance(refusal, Failure) else []
        return {"tasks": [], "failures": failures}
    definition = _definition(response, params)
    check_against(definition, params)
    provider = capacity_provider(params, cluster)
    if provider == "FARGATE_SPOT" and not ecs.has_spot_capacity:
        return {"tasks": [], "failures": [NO_CAPACITY.as_json()]}
    tags = tags_of_task(definition, params)
    tasks = tuple(
        Task(
            arn=f"{cluster.arn.replace(':cluster/', ':task/')}/{uuid.uuid4().hex}",
            cluster_arn=cluster.arn,
            definition=definition,
            created_at=now,
            started_by=params.get("startedBy"),
            overrides=params.get("overrides", {}),
            tags=list(tags),
            launch_type=params.get("launchType", "FARGATE"),
            capacity_provider=provider,
        )
        for _ in range(params.get("count", 1))
    )
    ecs.tokens[token] = Token(request, tasks, now)
    for task in tasks:
        ecs.store[task.id] = task
    answer = {"tasks": [task.as_json() | {"tags": task.tags} for task in tasks]}
    for task in tasks:
        ecs.emit(task, now)
        for hook in ecs.on_run:
            hook(task)
    return {**answer, "failures": []}


def _forget(ecs: Ecs, now: datetime) -> None:
    for token in [key for key, made in ecs.tokens.items() if not made.is_alive(now)]:
        del ecs.tokens[token]
    for task in [task for task in ecs.store.values() if task.is_forgotten(now)]:
        del ecs.store[task.id]


def _find(ecs: Ecs, cluster_arn: str, reference: str) -> Task | None:
    task = ecs.store.get(reference.rsplit("/", 1)[-1])
    if task is None or task.cluster_arn != cluster_arn or task.is_forgotten(ecs.now()):
        return None
    return task


def describe_tasks(ecs: Ecs, response: Any) -> dict[str, Any]:
    _raise_refusal(ecs, "DescribeTasks")
    params, now = response.params, ecs.now()
    cluster = response.ecs_backend._get_cluster(params.get("cluster", "default"))
    references = params.get("tasks", [])
    if not references:
        raise invalid("Tasks cannot be empty.")
    if len(references) > PAGE:
        raise invalid(f"Tasks cannot have more than {PAGE} elements.")
    # moto's own answer, where it was ever given in this process, hides tags from then on.
    response._include_in_response("DescribeTasksResponse.tasks.Task.tags")
    tasks, failures = [], []
    for reference in references:
        task = _find(ecs, cluster.arn, reference)
        if task is None or now - task.created_at < ecs.visible_after:
            arn = f"{cluster.arn.replace(':cluster/', ':task/')}/{reference.rsplit('/')[-1]}"
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            tags = {"tags": task.tags} if "TAGS" in params.get("include", []) else {}
            tasks.append(task.as_json() | tags)
    return {"tasks": tasks, "failures": failures}


def stop_task(ecs: Ecs, response: Any) -> dict[str, Any]:
    _raise_refusal(ecs, "StopTask")
    params = response.params
    cluster = response.ecs_backend._get_cluster(params.get("cluster", "default"))
    task = _find(ecs, cluster.arn, params["task"])
    if task is None:
        raise invalid("The referenced task was not found.")
    if task.desired_status == "RUNNING":
        task.tags = []
        request_stop(ecs, task, "UserInitiated", params.get("reason", "Task stopped by user"))
    return {"task": task.as_json()}


def request_stop(ecs: Ecs, task: Task, stop_code: str, reason: str) -> None:
    """Have what runs the task stop it; the change event goes out first, as a warning."""
    now = ecs.now()
    task.desired_status, task.stopping_at = "STOPPED", now
    task.stop_code, task.stopped_reason = stop_code, reason
    ecs.move(task, task.last_status, now)
    for hook in ecs.on_stop:
        hook(task)


def list_tasks(ecs: Ecs, response: Any) -> dict[str, Any]:
    _raise_refusal(ecs, "ListTasks")
    params, now = response.params, ecs.now()
    cluster = response.ecs_backend._get_cluster(params.get("cluster", "default"))
    others = {"family", "serviceName", "containerInstance", "launchType"} & set(params)
    if "startedBy" in params and others:
        raise invalid("startedBy cannot be used with other filters.")
    wanted = {
        "desired_status": params.get("desiredStatus", "RUNNING"),
        "started_by": params.get("startedBy"),
        "family": params.get("family"),
        "launch_type": params.get("launchType"),
    }
    arns = [
        task.arn
        for task in ecs.store.values()
        if task.cluster_arn == cluster.arn
        and not task.is_forgotten(now)
        and now - task.created_at >= ecs.visible_after
        and all(value in (None, getattr(task, key)) for key, value in wanted.items())
    ]
    size, begin = params.get("maxResults", PAGE), int(params.get("nextToken", "0"))
    page = {"taskArns": arns[begin : begin + size]}
    return page | ({"nextToken": str(begin + size)} if arns[begin + size :] else {})


def _definition(response: Any, params: dict[str, Any]) -> Any:
    try:
        return response.ecs_backend.describe_task_definition(params["taskDefinition"])
    except TaskDefinitionNotFoundException:
        raise EcsError("ClientException", "TaskDefinition not found.") from None


def _replay(made: Token, request: str) -> dict[str, Any]:
    """The answer to a token that was used: of a stopped task only the ARN and its statuses."""
    if made.request != request:
        error = EcsError(
            "ConflictException",
            "The clientToken was used with other parameters.",
        )
        error.resourceIds = [task.arn for task in made.tasks]  # type: ignore[attr-defined]
        raise error
    shown = ("taskArn", "lastStatus", "desiredStatus")
    tasks = [
        {key: task.as_json()[key] for key in shown}
        if task.last_status == "STOPPED"
        else task.as_json() | {"tags": task.tags}
        for task in made.tasks
    ]
    return {"tasks": tasks, "failures": []}
