"""The local Fargate takes Spot capacity back as AWS does, and may have none."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.local.engines.process import ProcessEngine
from infra.local.spot import Spot, spot
from tests.local.ecs_requests import ON_SPOT
from tests.local.local_yard import NETWORK, LocalYard, local_yard, wait_for
from tests.local.started import Client, Started

TICKS = "echo up; while :; do sleep 0.05; done"


def start(yard: LocalYard, script: str, **container: Any) -> str:
    """Start a shell on Spot; the task's ARN."""
    command = ["sh", "-c", script]
    return yard.launch(yard.register(command=command, **container), **ON_SPOT)


def reason(task: dict[str, Any]) -> tuple[str, str]:
    return task["stopCode"], task["stoppedReason"]


THEN_ON_DEMAND = "spot_then_on_demand"
INTERRUPTED = ("SpotInterruption", "Your Spot Task was interrupted.")


def test_an_interrupted_command_may_end_by_itself(yard: LocalYard, image: str) -> None:
    """SIGTERM comes first; its exit code and its last line are kept, and the stop code says why."""
    events: list[dict[str, Any]] = []
    yard.ecs.subscribe(lambda event: events.append(event["detail"]))
    arn = start(yard, f"trap 'echo bye; exit 0' TERM; {TICKS}", image=image)
    wait_for(lambda: "up" in yard.lines(arn), "the first line")
    yard.ecs.interrupt(arn)
    task = yard.until(arn)
    assert reason(task) == INTERRUPTED
    assert task["capacityProviderName"] == "FARGATE_SPOT"
    assert task["containers"][0]["exitCode"] == 0
    assert yard.lines(arn)[-1] == "bye"
    told = [(event["lastStatus"], event["desiredStatus"]) for event in events]
    assert told[told.index(("RUNNING", "STOPPED")) - 1] == ("RUNNING", "RUNNING")
    assert told[-1] == ("STOPPED", "STOPPED")
    assert reason(events[-1]) == INTERRUPTED


def test_an_interrupted_command_that_ignores_sigterm_is_killed(yard: LocalYard, image: str) -> None:
    """After `stopTimeout`; the exit code is 137 = 128 + SIGKILL."""
    arn = start(yard, f"trap '' TERM; {TICKS}", image=image, stopTimeout=2)
    wait_for(lambda: "up" in yard.lines(arn), "the first line")
    began = time.monotonic()
    yard.ecs.interrupt(arn)
    task = yard.until(arn)
    assert time.monotonic() - began >= 2
    assert reason(task) == INTERRUPTED
    assert task["containers"][0]["exitCode"] == 137


def test_a_task_that_waits_is_interrupted_without_an_exit_code(tmp_path: Path) -> None:
    """Nothing of it ran; the task before it is not disturbed."""
    with local_yard(ProcessEngine({}), tmp_path, cap=1) as yard:
        first = start(yard, TICKS)
        yard.until(first, "RUNNING")
        second = start(yard, TICKS)
        yard.ecs.interrupt(second)
        task = yard.until(second)
        assert reason(task) == INTERRUPTED
        assert "exitCode" not in task["containers"][0] and "startedAt" not in task
        assert yard.task(first)["desiredStatus"] == "RUNNING"


def test_spot_tasks_are_interrupted_after_the_time_that_is_set(tmp_path: Path) -> None:
    """Counted from the task's start; a task that is on demand runs to its own end."""
    with local_yard(ProcessEngine({}), tmp_path, interrupt_after=2) as yard:
        spot_arn = start(yard, TICKS)
        quick = start(yard, "exit 0")
        other = yard.run("sh", "-c", "sleep 4; exit 0")
        task = yard.until(spot_arn)
        assert reason(task) == INTERRUPTED
        assert (task["stoppingAt"] - task["startedAt"]).total_seconds() >= 2
        assert yard.until(quick)["stopCode"] == "EssentialContainerExited"
        assert yard.until(other)["stopCode"] == "EssentialContainerExited"


def test_the_setting_is_none_or_a_number_of_seconds() -> None:
    assert spot("none") == Spot(has_capacity=False)
    assert spot("20") == Spot(interrupt_after=20)
    for text in ("0", "-1", "1.5", "", "yes", "²"):
        with pytest.raises(ValueError, match="neither none nor a number of seconds"):
            spot(text)


def ask(client: Client, capacity: dict[str, Any]) -> dict[str, Any]:
    """RunTask at the AWS endpoint of a stack that was started by `make up`."""
    ecs: Any = boto3.client(
        "ecs",
        endpoint_url=client.env["AWS_ENDPOINT_URL"],
        region_name=client.env["AWS_REGION"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    registered = ecs.register_task_definition(
        family="by-hand",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "image": "any", "command": ["sleep", "60"]}],
    )
    definition = registered["taskDefinition"]["taskDefinitionArn"]
    return dict(
        ecs.run_task(
            cluster="jobyard-local",
            taskDefinition=definition,
            networkConfiguration=NETWORK,
            **capacity,
        )
    )


def test_a_local_stack_may_have_no_spot_capacity(tmp_path: Path) -> None:
    """`make up SPOT=none` refuses what is launched on Spot, and nothing else."""
    options = ("--port", "0", "--engine", "process", "--spot", "none")
    stack = Started(tmp_path, *options).until_up()
    try:
        client = Client(tmp_path)
        answer = ask(client, ON_SPOT)
        assert answer["tasks"] == []
        assert answer["failures"][0]["reason"].startswith("Capacity is unavailable at this time.")
        assert ask(client, {"launchType": "FARGATE"})["tasks"]
    finally:
        stack.end()


def test_a_wrong_setting_ends_the_start(tmp_path: Path) -> None:
    """The message says what is wrong with it."""
    stack = Started(tmp_path, "--spot", "soon")
    assert stack.end(None) == 2
    assert "soon is neither none nor a number of seconds" in stack.err


def test_an_interrupted_run_of_a_local_stack_ends_on_demand(tmp_path: Path) -> None:
    """From `make up SPOT=1`: two tasks are interrupted, and the third runs to its end."""
    stack = Started(tmp_path, "--port", "0", "--engine", "process", "--spot", "1").until_up()
    try:
        client = Client(tmp_path)
        job = client.job("sh", "-c", "echo begins; sleep 3; echo ends", capacity=THEN_ON_DEMAND)
        run = client.finish(job)
        assert (run["status"], run["capacity"], run["attempt"]) == ("succeeded", "on_demand", 1)
        assert [attempt["interruptions"] for attempt in run["attempts"]] == [2]
        lines = client.call("GET", f"{job}/runs/{run['id']}/logs")["logs"]
        said = [line["message"] for line in lines if not line["message"].startswith("jobyard: ")]
        assert said == ["begins", "begins", "begins", "ends"]
    finally:
        stack.end()
