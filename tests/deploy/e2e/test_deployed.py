"""The deployed system, used as people use it: through the URL of its API."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tests.deploy.e2e.conftest import Stage
from tests.deploy.e2e.emulator import IMAGE

TERMINAL = ("succeeded", "failed", "cancelled")


def wait_for(look: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """The first true answer of `look`."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if found := look():
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what}: not within {seconds} s")


def job(stage: Stage, name: str, script: str, **fields: Any) -> str:
    spec = {"name": name, "image": IMAGE, "command": ["sh", "-c", script], **fields}
    return str(stage.ok("POST", "jobs", spec)["id"])


def finished(stage: Stage, run: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = stage.ok("GET", run)
        return found if found["status"] in TERMINAL else None

    result: dict[str, Any] = wait_for(look, f"{run} to finish")
    return result


@pytest.fixture(scope="module")
def scheduled(stage: Stage) -> str:
    """A job that is due every minute; made first, so that its minute passes meanwhile."""
    return job(stage, "every-minute", "echo at $JOBYARD_SCHEDULED_FOR", schedule="* * * * *")


def test_health_answers_without_a_token(stage: Stage, scheduled: str) -> None:
    """The API is reached through API Gateway."""
    assert stage.call("GET", "/health", token="none")[0] == 200


def test_unknown_paths_and_methods_are_answered_by_the_product(stage: Stage) -> None:
    """The catch-alls of the template lead to the product's own 404 and 405."""
    assert stage.call("GET", "/nothing/here")[1]["code"] == "not_found"
    assert stage.call("GET", "/")[1]["code"] == "not_found"
    assert stage.call("PUT", "/health")[1]["code"] == "method_not_allowed"


def test_no_answer_without_a_token(stage: Stage) -> None:
    """What is not a token is refused before anything is looked up."""
    status, envelope = stage.call("GET", "jobs", token="jyd_nonsense")
    assert (status, envelope["code"]) == (401, "unauthenticated")


def test_a_run_succeeds_in_a_real_container_and_its_output_is_readable(stage: Stage) -> None:
    """Create, trigger, wait, read: the whole way of a run."""
    made = job(stage, "hello", "echo hello from $JOBYARD_RUN_ID", env={"MODE": "full"})
    run = stage.ok("POST", f"jobs/{made}/runs")
    assert run["status"] == "pending"
    done = finished(stage, f"jobs/{made}/runs/{run['id']}")
    assert (done["status"], done["exit_code"], done["error"]) == ("succeeded", 0, None)
    logs = f"jobs/{made}/runs/{run['id']}/logs"
    lines = wait_for(lambda: stage.ok("GET", logs)["logs"], "the output")
    assert [line["message"] for line in lines] == [f"hello from {run['id']}"]
    counts = stage.ok("GET", f"jobs/{made}/status")["run_counts"]
    assert (counts["succeeded"], counts["total"]) == (1, 1)


def test_a_command_that_fails_makes_a_failed_run(stage: Stage) -> None:
    """The container's exit code is the run's."""
    made = job(stage, "fails", "echo oh no; exit 3")
    run = stage.ok("POST", f"jobs/{made}/runs")
    done = finished(stage, f"jobs/{made}/runs/{run['id']}")
    assert (done["status"], done["exit_code"]) == ("failed", 3)
    assert done["error"]["code"] == "nonzero_exit"


def test_a_cancelled_run_leaves_no_task(stage: Stage) -> None:
    """Cancelling stops the container."""
    made = job(stage, "sleeps", "exec sleep 600")
    run = stage.ok("POST", f"jobs/{made}/runs")
    path = f"jobs/{made}/runs/{run['id']}"
    wait_for(lambda: stage.ok("GET", path)["status"] == "running", "the run to start")
    stage.ok("POST", f"{path}/cancel")
    assert stage.ok("GET", path)["status"] == "cancelled"
    ecs = boto3.client("ecs")
    wait_for(
        lambda: (
            not ecs.list_tasks(cluster=f"jobyard-{stage.name}", family=_family(stage, made))[
                "taskArns"
            ]
        ),
        "the task to stop",
    )


def _family(stage: Stage, job_id: str) -> str:
    return f"jobyard-{stage.name}-{job_id}"


def test_events_settle_a_run_that_nobody_asks_about(stage: Stage) -> None:
    """ECS's event reaches its function by the stack's rule, well before the sweep."""
    made = job(stage, "quick", "true")
    run = stage.ok("POST", f"jobs/{made}/runs")
    key = {"pk": {"S": made}, "sk": {"S": run["id"]}}
    dynamodb = boto3.client("dynamodb")

    def stored() -> bool:
        item = dynamodb.get_item(TableName=f"jobyard-{stage.name}-runs", Key=key)["Item"]
        return item["status"] == {"S": "succeeded"}

    wait_for(stored, "the event", seconds=40)


def test_a_schedule_fires_at_its_minute(stage: Stage, scheduled: str) -> None:
    """EventBridge's rule wakes the job, and the run knows its slot."""

    def look() -> Any:
        runs = stage.ok("GET", f"jobs/{scheduled}/runs?trigger=schedule")["runs"]
        return [run for run in runs if run["status"] == "succeeded"]

    run = wait_for(look, "a scheduled run", seconds=100)[-1]
    assert run["scheduled_for"].endswith(":00.000Z")
    lines = stage.ok("GET", f"jobs/{scheduled}/runs/{run['id']}/logs")["logs"]
    assert [line["message"] for line in lines] == [f"at {run['scheduled_for']}"]


def test_deleting_every_job_leaves_nothing_behind(stage: Stage) -> None:
    """Rules, tasks, task definitions, log groups and records go with their jobs."""
    for found in stage.ok("GET", "jobs")["jobs"]:
        stage.ok("DELETE", f"jobs/{found['id']}")
    assert stage.ok("GET", "jobs")["jobs"] == []
    give_up = time.monotonic() + 100
    while (left := leftovers(stage)) and time.monotonic() < give_up:
        time.sleep(1)
    assert left == []


def leftovers(stage: Stage) -> list[str]:
    """Names of what belongs to some job of the stage."""
    prefix = f"jobyard-{stage.name}"
    ecs, dynamodb = boto3.client("ecs"), boto3.client("dynamodb")
    rules = boto3.client("events").list_rules(NamePrefix=f"{prefix}-job_")["Rules"]
    groups = boto3.client("logs").describe_log_groups(
        logGroupNamePrefix=f"/jobyard/{stage.name}/job_"
    )["logGroups"]
    definitions = ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    records = [
        item["sk"]["S"]
        for table in ("jobs", "runs")
        for item in dynamodb.scan(TableName=f"{prefix}-{table}")["Items"]
        if item["pk"]["S"] != "audit"
    ]
    return [
        *(rule["Name"] for rule in rules),
        *(group["logGroupName"] for group in groups),
        *(arn for arn in definitions if f"/{prefix}-job_" in arn),
        *ecs.list_tasks(cluster=prefix)["taskArns"],
        *records,
    ]
