"""The local Fargate does what ECS would, with whatever runs the task."""

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
    """Without the line in which the process engine introduces itself."""
    return [line for line in yard.lines(arn) if not line.startswith("jobyard: ")]


def test_a_command_runs_and_its_exit_code_and_both_outputs_arrive(
    yard: LocalYard, image: str
) -> None:
    """What any container does: its code in `exitCode`, stdout and stderr in its log stream."""
    task = yard.finish("sh", "-c", "echo out; echo err >&2; exit 3", image=image)
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["containers"][0]["exitCode"] == 3
    assert own_lines(yard, task["taskArn"]) == ["out", "err"]
    assert task["createdAt"] <= task["startedAt"] <= task["executionStoppedAt"]


def test_lines_of_stdout_and_stderr_are_not_mixed(yard: LocalYard, image: str) -> None:
    """However fast they are written: no line has a part of another within it."""
    script = (
        "i=0; while [ $i -lt 5000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; echo -n z"
    )
    task = yard.finish("sh", "-c", script, image=image)
    lines = own_lines(yard, task["taskArn"])
    wanted = [f"{stream} {number}" for stream in ("out", "err") for number in range(5000)]
    assert sorted(lines) == sorted([*wanted, "z"])


def test_an_entrypoint_comes_before_the_command(yard: LocalYard, image: str) -> None:
    """The definition's entryPoint and command together are what is run."""
    task = yard.finish("one two", image=image, entryPoint=["echo", "-n"])
    assert own_lines(yard, task["taskArn"]) == ["one two"]


def test_overrides_replace_the_command_and_add_to_the_environment(
    yard: LocalYard, image: str
) -> None:
    """RunTask's overrides are for this task only."""
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
    """A clean environment: what the person who started the stack exports stays out of it."""
    monkeypatch.setenv("MY_PRIVATE_TOKEN", "hidden")
    task = yard.finish("env", image=image)
    assert not [line for line in yard.lines(task["taskArn"]) if "MY_PRIVATE_TOKEN" in line]


def test_a_command_that_is_not_there_fails_to_start(yard: LocalYard, image: str) -> None:
    """TaskFailedToStart and no exit code: nothing ever ran."""
    task = yard.finish("no-such-command", image=image)
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotStartContainerError: ")
    assert "no-such-command" in task["stoppedReason"]
    assert "exitCode" not in task["containers"][0]


def test_stop_task_asks_with_sigterm_and_the_command_may_end_by_itself(
    yard: LocalYard, image: str
) -> None:
    """A command that handles SIGTERM keeps its own exit code, and its last words arrive."""
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
    """137 = 128 + SIGKILL, not before its `stopTimeout`."""
    script = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    arn = yard.run("sh", "-c", script, image=image, stopTimeout=2)
    wait_for(lambda: "up" in yard.lines(arn), "the first line")
    began = time.monotonic()
    yard.stop(arn)
    assert yard.until(arn)["containers"][0]["exitCode"] == 137
    assert time.monotonic() - began >= 2


def test_a_task_over_its_memory_is_out_of_memory(yard: LocalYard, image: str) -> None:
    """137 with the reason by which ECS tells it from any other SIGKILL."""
    script = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); sleep 60"
    task = yard.finish("sh", "-c", script, image=image, memory=64)
    container = task["containers"][0]
    assert container["exitCode"] == 137
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_processes_that_a_command_started_end_with_it(yard: LocalYard, image: str) -> None:
    """As in a container: no child of the task lives on, in its group or out of it."""
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
    """First come, first served, as there is room."""
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
    """It has no exit code, since it never ran, and does not wait for its turn to end."""
    with local_yard(ProcessEngine({}), tmp_path, cap=1) as yard:
        first = yard.run("sleep", "600")
        second = yard.run("true")
        yard.until(first, "RUNNING")
        yard.stop(second)
        task = yard.task(second)
        assert task["lastStatus"] == "STOPPED"
        assert "exitCode" not in task["containers"][0]


def test_secrets_are_values_in_the_environment(process_yard: LocalYard) -> None:
    """From Secrets Manager, one key of a JSON secret too, and from SSM's parameters."""
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
    """ResourceInitializationError, naming the secret."""
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none-AbCdEf"
    task = process_yard.finish("true", secrets=[{"name": "ONE", "valueFrom": arn}])
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("ResourceInitializationError: ")
    assert arn in task["stoppedReason"]


def test_a_missing_log_group_fails_the_start(process_yard: LocalYard) -> None:
    """The awslogs driver makes its stream before the container starts."""
    process_yard.client("logs").delete_log_group(logGroupName=GROUP)
    task = process_yard.finish("true")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("ResourceInitializationError: ")


def test_a_task_runs_on_when_its_log_group_is_deleted(process_yard: LocalYard) -> None:
    """Its lines have nowhere to go any more; its exit code still counts."""
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
    """Ctrl-C in the middle of things: what runs is killed, what waits is forgotten."""
    before = set(threading.enumerate())
    with local_yard(engine, tmp_path, cap=2) as yard:
        arns = [yard.run("sleep", "600", image=image) for _ in range(4)]
        yard.until(arns[1], "RUNNING")
    assert [yard.ecs.task(arn).last_status for arn in arns[:2]] == ["STOPPED"] * 2
    wait_for(lambda: set(threading.enumerate()) <= before, "the last thread to end")
    assert list(tmp_path.iterdir()) == []
    assert not [p for p in psutil.Process().children(recursive=True) if "sleep" in _command(p)]


def test_a_process_task_without_a_command_says_what_is_missing(process_yard: LocalYard) -> None:
    """The image's own command is not known without an engine."""
    task = process_yard.finish()
    assert task["stopCode"] == "TaskFailedToStart"
    assert "no command" in task["stoppedReason"]


def test_the_first_line_of_a_process_task_says_that_its_image_is_not_used(
    process_yard: LocalYard,
) -> None:
    """Whoever reads the output of a run should know that no image was used."""
    task = process_yard.finish("true", image="some/image:1")
    assert process_yard.lines(task["taskArn"]) == [
        "jobyard: no container engine, so this is a process; some/image:1 is not used"
    ]


def test_a_process_task_has_a_directory_of_its_own_that_goes_with_it(
    process_yard: LocalYard,
) -> None:
    """It starts there, it is its HOME, and nothing of it is left."""
    task = process_yard.finish("sh", "-c", "touch file; pwd; echo $HOME; ls")
    where, home, listing = own_lines(process_yard, task["taskArn"])
    assert where == os.path.realpath(home)
    assert listing == "file"
    wait_for(lambda: not Path(where).exists(), "the directory to go")


def test_an_image_that_cannot_be_pulled_stops_the_task_as_ecs_does(
    container_image: str, tmp_path: Path
) -> None:
    """TaskFailedToStart with CannotPullContainerError."""
    with local_yard(choose("docker", {}), tmp_path) as yard:
        # Nothing listens there: the pull fails without leaving this machine.
        task = yard.finish("true", image="localhost:1/none:latest")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert "exitCode" not in task["containers"][0]
