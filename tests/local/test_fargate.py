"""The local Fargate treats tasks as ECS does, with each engine."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import psutil
import pytest

from infra.local.engines import Engine
from infra.local.engines.choice import choose
from infra.local.engines.process import TASK_MARK, ProcessEngine
from tests.local.local_yard import GROUP, LocalYard, local_yard, wait_for


def own_lines(yard: LocalYard, arn: str) -> list[str]:
    """The task's lines without the first one of the process engine."""
    return [line for line in yard.lines(arn) if not line.startswith("jobyard: ")]


def test_a_command_runs_and_its_exit_code_and_both_outputs_arrive(
    yard: LocalYard, image: str
) -> None:
    """`exitCode` has the code, and the log stream has both stdout and stderr."""
    task = yard.finish("sh", "-c", "echo out; echo err >&2; exit 3", image=image)
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["containers"][0]["exitCode"] == 3
    assert own_lines(yard, task["taskArn"]) == ["out", "err"]
    assert task["createdAt"] <= task["startedAt"] <= task["executionStoppedAt"]


def test_lines_of_stdout_and_stderr_are_not_mixed(yard: LocalYard, image: str) -> None:
    """However fast both are written, no line contains a part of another."""
    script = (
        "i=0; while [ $i -lt 5000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; echo -n z"
    )
    task = yard.finish("sh", "-c", script, image=image)
    lines = own_lines(yard, task["taskArn"])
    wanted = [f"{stream} {number}" for stream in ("out", "err") for number in range(5000)]
    assert sorted(lines) == sorted([*wanted, "z"])


def test_an_entrypoint_comes_before_the_command(yard: LocalYard, image: str) -> None:
    """The task runs the definition's entryPoint followed by the command."""
    task = yard.finish("one two", image=image, entryPoint=["echo", "-n"])
    assert own_lines(yard, task["taskArn"]) == ["one two"]


def test_overrides_replace_the_command_and_add_to_the_environment(
    yard: LocalYard, image: str
) -> None:
    """The overrides of RunTask are for this task only."""
    definition = yard.register(
        image=image, command=["false"], environment=[{"name": "A", "value": "1"}]
    )
    override = {
        "name": "main",
        "command": ["sh", "-c", 'echo "$A $B"'],
        "environment": [{"name": "B", "value": "2"}],
    }
    arn = yard.launch(definition, overrides={"containerOverrides": [override]})
    assert yard.until(arn)["containers"][0]["exitCode"] == 0
    assert own_lines(yard, arn) == ["1 2"]


def test_nothing_of_this_process_is_in_a_tasks_environment(
    yard: LocalYard, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment of whoever started the stack stays out of it."""
    monkeypatch.setenv("MY_PRIVATE_TOKEN", "hidden")
    task = yard.finish("env", image=image)
    assert not [line for line in yard.lines(task["taskArn"]) if "MY_PRIVATE_TOKEN" in line]


def test_a_command_that_is_not_there_fails_to_start(yard: LocalYard, image: str) -> None:
    """TaskFailedToStart without an exit code: nothing ran."""
    task = yard.finish("no-such-command", image=image)
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotStartContainerError: ")
    assert "no-such-command" in task["stoppedReason"]
    assert "exitCode" not in task["containers"][0]


def test_stop_task_asks_with_sigterm_and_the_command_may_end_by_itself(
    yard: LocalYard, image: str
) -> None:
    """A command that handles SIGTERM keeps its own exit code, and its last line arrives."""
    script = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done"
    arn = yard.run("sh", "-c", script, image=image)
    wait_for(lambda: "up" in yard.lines(arn), "the first line")
    yard.stop(arn)
    task = yard.until(arn)
    assert task["stopCode"] == "UserInitiated"
    assert task["stoppedReason"] == "asked to"
    assert task["containers"][0]["exitCode"] == 7
    assert own_lines(yard, arn)[-1] == "bye"


def test_a_command_that_ignores_sigterm_is_killed_after_the_stop_timeout(
    yard: LocalYard, image: str
) -> None:
    """The exit code is 137 = 128 + SIGKILL, and the kill waits for `stopTimeout`."""
    script = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    arn = yard.run("sh", "-c", script, image=image, stopTimeout=2)
    wait_for(lambda: "up" in yard.lines(arn), "the first line")
    began = time.monotonic()
    yard.stop(arn)
    assert yard.until(arn)["containers"][0]["exitCode"] == 137
    assert time.monotonic() - began >= 2


def test_a_task_over_its_memory_is_out_of_memory(yard: LocalYard, image: str) -> None:
    """The exit code is 137 with the reason that ECS gives for a container out of memory."""
    script = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); sleep 60"
    task = yard.finish("sh", "-c", script, image=image, memory=64)
    container = task["containers"][0]
    assert container["exitCode"] == 137
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_processes_that_a_command_started_end_with_it(yard: LocalYard, image: str) -> None:
    """As in a container, no child of the task lives on, inside or outside its process group."""
    marker = f"{time.time_ns() % 10_000_000 + 10_000}"
    script = f"sleep {marker} & setsid sleep {marker} & sleep 0.2; exit 0"
    yard.finish("sh", "-c", script, image=image)
    assert [p.pid for p in psutil.process_iter() if marker in _command(p)] == []


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def test_tasks_over_the_cap_wait_pending_and_start_in_order(tmp_path: Path) -> None:
    """Tasks start in the order in which they were launched."""
    with local_yard(ProcessEngine({}), tmp_path, cap=1) as yard:
        gate = tmp_path / "gate"
        first = yard.run("sh", "-c", f"until [ -e {gate} ]; do sleep 0.02; done")
        others = [yard.run("true") for _ in range(3)]
        yard.until(first, "RUNNING")
        assert [yard.task(arn)["lastStatus"] for arn in others] == ["PENDING"] * 3
        gate.touch()
        started = [yard.until(arn)["startedAt"] for arn in [first, *others]]
        assert started == sorted(started)


def test_a_task_that_waits_for_room_can_be_stopped_at_once(tmp_path: Path) -> None:
    """It has no exit code since it never ran, and it need not wait for its turn."""
    with local_yard(ProcessEngine({}), tmp_path, cap=1) as yard:
        first = yard.run("sleep", "600")
        second = yard.run("true")
        yard.until(first, "RUNNING")
        yard.stop(second)
        task = yard.task(second)
        assert task["lastStatus"] == "STOPPED"
        assert "exitCode" not in task["containers"][0]


def test_secrets_are_values_in_the_environment(process_yard: LocalYard) -> None:
    """
    Values come from Secrets Manager, also a single key of a JSON secret, and from SSM parameters.
    """
    secrets = process_yard.client("secretsmanager")
    whole = secrets.create_secret(Name="whole", SecretString="a")["ARN"]
    fields = secrets.create_secret(Name="fields", SecretString='{"user": "b"}')["ARN"]
    process_yard.client("ssm").put_parameter(Name="/c", Value="c", Type="SecureString")
    task = process_yard.finish(
        "sh",
        "-c",
        "echo $ONE $TWO $THREE",
        secrets=[
            {"name": "ONE", "valueFrom": whole},
            {"name": "TWO", "valueFrom": f"{fields}:user::"},
            {"name": "THREE", "valueFrom": "/c"},
        ],
    )
    assert own_lines(process_yard, task["taskArn"]) == ["a b c"]


def test_a_secret_that_is_missing_fails_the_start(process_yard: LocalYard) -> None:
    """The reason is a ResourceInitializationError that names the secret."""
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none-AbCdEf"
    task = process_yard.finish("true", secrets=[{"name": "ONE", "valueFrom": arn}])
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("ResourceInitializationError: ")
    assert arn in task["stoppedReason"]


def test_a_missing_log_group_fails_the_start(process_yard: LocalYard) -> None:
    """The awslogs driver creates its stream before the container starts."""
    process_yard.client("logs").delete_log_group(logGroupName=GROUP)
    task = process_yard.finish("true")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("ResourceInitializationError: ")


def test_a_task_runs_on_when_its_log_group_is_deleted(process_yard: LocalYard) -> None:
    """Its lines are lost from then on; its exit code still arrives."""
    script = "echo up; until [ -e ../gate ]; do echo more; sleep 0.02; done; exit 4"
    arn = process_yard.run("sh", "-c", script)
    wait_for(lambda: "up" in process_yard.lines(arn), "the first line")
    process_yard.client("logs").delete_log_group(logGroupName=GROUP)
    home = next(
        p for p in psutil.Process().children(recursive=True) if p.environ().get(TASK_MARK)
    ).cwd()
    (Path(home).parent / "gate").touch()
    assert process_yard.until(arn)["containers"][0]["exitCode"] == 4


def test_closing_leaves_no_task_and_no_thread(engine: Engine, image: str, tmp_path: Path) -> None:
    """Ctrl-C at any time kills the tasks that run and drops those that wait."""
    before = set(threading.enumerate())
    with local_yard(engine, tmp_path, cap=2) as yard:
        arns = [yard.run("sleep", "600", image=image) for _ in range(4)]
        yard.until(arns[1], "RUNNING")
    assert [yard.ecs.task(arn).last_status for arn in arns[:2]] == ["STOPPED"] * 2
    wait_for(lambda: set(threading.enumerate()) <= before, "the last thread to end")
    assert list(tmp_path.iterdir()) == []
    assert not [p for p in psutil.Process().children(recursive=True) if "sleep" in _command(p)]


def test_a_process_task_without_a_command_says_what_is_missing(process_yard: LocalYard) -> None:
    """Without an engine the image's own command is unknown."""
    task = process_yard.finish()
    assert task["stopCode"] == "TaskFailedToStart"
    assert "no command" in task["stoppedReason"]


def test_the_first_line_of_a_process_task_says_that_its_image_is_not_used(
    process_yard: LocalYard,
) -> None:
    """Somebody who reads the output of a run must know that no image was used."""
    task = process_yard.finish("true", image="some/image:1")
    assert process_yard.lines(task["taskArn"]) == [
        "jobyard: no container engine, so this is a process; some/image:1 is not used"
    ]


def test_a_process_task_has_a_directory_of_its_own_that_goes_with_it(
    process_yard: LocalYard,
) -> None:
    """The task starts in it, it is the task's HOME, and it is deleted with the task."""
    task = process_yard.finish("sh", "-c", "touch file; pwd; echo $HOME; ls")
    where, home, listing = own_lines(process_yard, task["taskArn"])
    assert where == os.path.realpath(home)
    assert listing == "file"
    wait_for(lambda: not Path(where).exists(), "the directory to go")


def test_an_image_that_cannot_be_pulled_stops_the_task_as_ecs_does(
    container_image: str, tmp_path: Path
) -> None:
    """The reason is TaskFailedToStart with CannotPullContainerError."""
    with local_yard(choose("docker", {}), tmp_path) as yard:
        # Nothing listens there: the pull fails without leaving this machine.
        task = yard.finish("true", image="localhost:1/none:latest")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert "exitCode" not in task["containers"][0]
