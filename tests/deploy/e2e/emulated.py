"""
The program that the deployed test starts as its AWS: ministack with an ECS closer to the real one.

It runs with the Python of .venv-e2e and can import nothing of this repository. It changes:

- StopTask sends SIGTERM and, after the container's stopTimeout, SIGKILL. Until then the task's
  desired status is STOPPED and the container runs on. ministack says STOPPED at once.
- `initProcessEnabled` gives a container an init process, which passes SIGTERM on. Without one,
  a command that is process 1 ignores a SIGTERM that it does not handle.
- RunTask with a `clientToken` that has already made a task answers with that task.
- The tag `e2e:interrupt` takes the Spot capacity of a task back: its containers are stopped as by
  StopTask, and the stop code and reason are those of an interruption. ministack has none.
- RunTask refuses a capacity provider that the cluster lacks. ministack takes any.
- The tag `e2e:age` makes a task that many seconds older: the audit leaves tasks alone until they
  are five minutes old, and a test cannot wait that long.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from ministack.app import main
from ministack.core.concurrency import resource_lock, spawn_background
from ministack.core.responses import (
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    request_scope,
)
from ministack.services import ecs

AGE = "e2e:age"
INTERRUPT = "e2e:interrupt"
INTERRUPTED = ("Your Spot Task was interrupted.", "SpotInterruption")
NOT_ASSOCIATED = (
    "The specified capacity provider strategy cannot contain a capacity provider that is not "
    "associated with the cluster."
)
STOP_TIMEOUT = 30
"""Seconds, used if the task definition has no stopTimeout."""

_launched: dict[tuple[str, str], list[str]] = {}
_run_task, _stop_task, _tag_resource = ecs._run_task, ecs._stop_task, ecs._tag_resource
_build_run_kwargs = ecs._build_run_kwargs


def run_task(data: dict[str, Any]) -> Any:
    """The same token gets the same task (RunTask, "Ensuring idempotency")."""
    key = (str(data.get("cluster")), str(data.get("clientToken")))
    if arns := _launched.get(key):
        found = [ecs._sanitize(ecs._tasks[arn]) for arn in arns]
        return json_response({"tasks": found, "failures": []})
    cluster = ecs._clusters.get(ecs._resolve_cluster_name(data.get("cluster", "default"))) or {}
    for item in data.get("capacityProviderStrategy") or []:
        if item["capacityProvider"] not in cluster.get("capacityProviders", []):
            return error_response_json("InvalidParameterException", NOT_ASSOCIATED, 400)
    status, headers, body = _run_task(data)
    if status == 200 and data.get("clientToken"):
        _launched[key] = [task["taskArn"] for task in json.loads(body)["tasks"]]
    return status, headers, body


def stop_task(data: dict[str, Any]) -> Any:
    """Send SIGTERM and later SIGKILL, but answer at once (StopTask, API reference)."""
    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    task = ecs._resolve_task(data.get("task", ""), cluster)
    if not task or task["lastStatus"] != "RUNNING" or not task["_docker_ids"]:
        return _stop_task(data)  # a task that has not started ends at once
    _ask_to_stop(task, data.get("reason", "Task stopped by user"), "UserInitiated")
    return json_response({"task": ecs._sanitize(task)})


def _ask_to_stop(task: dict[str, Any], *why: str) -> None:
    with resource_lock("ecs-task", task["taskArn"]):
        is_first = task["desiredStatus"] != "STOPPED"
        if is_first:
            task["desiredStatus"], task["stoppingAt"] = "STOPPED", ecs._iso()
            ecs._bump_task_version(task)
    if is_first:
        spawn_background(
            _stop_containers, task, why, get_account_id(), get_region(), thread_name="e2e-stop"
        )


def _stop_containers(task: dict[str, Any], why: tuple[str, ...], account: str, region: str) -> None:
    with request_scope(account, region):
        docker = ecs._get_docker()
        definition = ecs._task_defs[ecs._resolve_td_key(task["taskDefinitionArn"])]
        timeout = definition["containerDefinitions"][0].get("stopTimeout", STOP_TIMEOUT)
        code = 0
        for each in list(task["_docker_ids"]):
            container = docker.containers.get(each)
            container.stop(timeout=timeout)
            code = max(code, container.wait()["StatusCode"])
        task["desiredStatus"] = "RUNNING"  # else the next line takes it for stopped
        ecs._mark_task_stopped(task["taskArn"], task, *why, exit_code=code)
        ecs._cleanup_task_resources(task, docker)


def build_run_kwargs(definition: dict[str, Any], *rest: Any) -> Any:
    """The container's arguments, with an init process if the definition asks for one."""
    kwargs = _build_run_kwargs(definition, *rest)
    if (definition.get("linuxParameters") or {}).get("initProcessEnabled"):
        kwargs["init"] = True
    return kwargs


def tag_resource(data: dict[str, Any]) -> Any:
    """Tag a task; the tag AGE also makes it older, and INTERRUPT interrupts it."""
    answer = _tag_resource(data)
    for tag in data.get("tags", []):
        if tag["key"] == INTERRUPT:
            _ask_to_stop(ecs._tasks[data["resourceArn"]], *INTERRUPTED)
        if tag["key"] == AGE:
            task = ecs._tasks[data["resourceArn"]]
            made = datetime.fromisoformat(task["createdAt"].replace("Z", "+00:00"))
            task["createdAt"] = (made - timedelta(seconds=int(tag["value"]))).isoformat()
    return answer


ecs._ACTION_MAP |= {"RunTask": run_task, "StopTask": stop_task, "TagResource": tag_resource}
ecs._build_run_kwargs = build_run_kwargs

if __name__ == "__main__":
    main()
