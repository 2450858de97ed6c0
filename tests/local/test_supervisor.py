"""Each process task has a supervisor, so that no process that the task starts outlives it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra.local.engines import supervisor
from infra.local.engines.process import MARK, ProcessEngine
from tests.local.local_yard import LocalYard, local_yard, wait_for

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")


def marker() -> str:
    """A number for `sleep` by which the test finds its own processes."""
    return f"{time.time_ns() % 10_000_000 + 10_000}"


def alive(number: str) -> list[int]:
    """The ids of the processes that have that argument."""
    return [process.pid for process in psutil.process_iter() if _has_argument(process, number)]


def _has_argument(process: psutil.Process, number: str) -> bool:
    try:
        return number in process.cmdline()
    except psutil.Error:
        return False


def running(yard: LocalYard, script: str) -> str:
    arn = yard.run("sh", "-c", f"{script}; echo up; until [ -e ../gate ]; do sleep 0.05; done")
    wait_for(lambda: "up" in yard.lines(arn), "the first line")
    return arn


def supervisor_of(pid: int) -> psutil.Process:
    """The parent of a daemon whose own parent has ended."""
    parent: psutil.Process | None = psutil.Process(pid).parent()
    assert parent is not None
    return parent


@linux
def test_a_daemon_without_session_and_environment_ends_with_its_task(
    process_yard: LocalYard,
) -> None:
    """Neither its group nor its environment shows its task, but the supervisor has adopted it."""
    number = marker()
    script = f"(env -i setsid sleep {number} &) ; sleep 0.3; exit 3"
    task = process_yard.finish("sh", "-c", script)
    assert task["containers"][0]["exitCode"] == 3
    assert alive(number) == []


@linux
def test_a_daemon_lives_as_long_as_its_task_and_ends_with_a_stop(
    process_yard: LocalYard,
) -> None:
    """In a container too, what the command started runs on beside it."""
    number = marker()
    arn = running(process_yard, f"(env -i setsid sleep {number} &)")
    wait_for(lambda: alive(number), "the daemon")
    process_yard.stop(arn)
    assert process_yard.until(arn)["containers"][0]["exitCode"] == 143
    assert alive(number) == []


@linux
def test_daemons_that_end_are_reaped_while_their_task_runs(process_yard: LocalYard) -> None:
    """None of them stays a zombie of the stack or of the supervisor."""
    seconds = f"0.1{marker()}"
    arn = running(process_yard, f"for i in 1 2 3; do (setsid sleep {seconds} &) ; done; sleep 0.5")
    assert alive(seconds) == []
    assert _zombies() == []
    assert process_yard.task(arn)["lastStatus"] == "RUNNING"


def _zombies() -> list[psutil.Process]:
    """The zombies among all descendants; repeated if a process ends while it is examined."""
    while True:
        try:
            children = psutil.Process().children(recursive=True)
            return [child for child in children if child.status() == psutil.STATUS_ZOMBIE]
        except psutil.NoSuchProcess:
            continue


@linux
def test_a_task_whose_supervisor_is_killed_has_no_exit_code_and_leaves_nothing(
    process_yard: LocalYard,
) -> None:
    """The supervisor's own parent adopts its processes and kills them."""
    number = marker()
    arn = running(process_yard, f"(env -i setsid sleep {number} &)")
    wait_for(lambda: alive(number), "the daemon")
    supervisor_of(alive(number)[0]).kill()
    task = process_yard.until(arn)
    assert "exitCode" not in task["containers"][0]
    assert task["stopCode"] == "InfrastructureHealth"
    wait_for(lambda: alive(number) == [], "the daemon to end")


def test_the_process_that_forks_supervisors_is_started_again_if_it_is_killed(
    process_yard: LocalYard,
) -> None:
    """Running tasks continue, and new ones start."""
    arn = running(process_yard, "true")
    forking = _forking()
    assert forking is not None
    forking.kill()
    wait_for(lambda: _forking() is None, "the process to end")
    second = process_yard.finish("sh", "-c", "exit 4")
    assert second["containers"][0]["exitCode"] == 4
    process_yard.stop(arn)
    assert process_yard.until(arn)["containers"][0]["exitCode"] == 143


def _forking() -> psutil.Process | None:
    """
    The child of this process that forks supervisors; None if it is a zombie or does not exist.
    """
    children: list[psutil.Process] = psutil.Process().children()
    for child in children:
        if child.status() != psutil.STATUS_ZOMBIE and supervisor.__file__ in child.cmdline():
            return child
    return None


def test_a_task_inherits_no_descriptor_and_no_ignored_signal(process_yard: LocalYard) -> None:
    """It has only the three standard streams, and SIGPIPE ends it as in any shell."""
    script = (
        "import os, signal; print(sorted(map(int, os.listdir('/dev/fd')))[:-1]);"
        "print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    )
    task = process_yard.finish(sys.executable, "-c", script)
    assert process_yard.lines(task["taskArn"])[1:] == ["[0, 1, 2]", "set()"]


def test_a_process_that_may_not_be_started_fails_with_the_reason(
    process_yard: LocalYard, tmp_path: Path
) -> None:
    """The supervisor reports the system's own message."""
    program = tmp_path / "not-executable"
    program.write_text("#!/bin/sh\n")
    task = process_yard.finish(str(program))
    assert task["stopCode"] == "TaskFailedToStart"
    assert "Permission denied" in task["stoppedReason"]


def test_without_a_subreaper_the_group_ends_with_the_command(tmp_path: Path) -> None:
    """
    As on macOS: exit code, stop, output and group work; a daemon that left the group lives on.
    """
    in_group, escaped = marker(), marker()
    engine = ProcessEngine({}, has_subreaper=False)
    with local_yard(engine, tmp_path) as yard:
        script = f"sleep {in_group} & setsid sleep {escaped} & echo out; sleep 0.3; exit 3"
        task = yard.finish("sh", "-c", script)
        assert task["containers"][0]["exitCode"] == 3
        assert yard.lines(task["taskArn"])[1:] == ["out"]
        arn = yard.run("sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done")
        wait_for(lambda: "up" in yard.lines(arn), "the first line")
        yard.stop(arn)
        assert yard.until(arn)["containers"][0]["exitCode"] == 7
    assert alive(in_group) == []
    # The next clearing finds it by its mark.
    assert [MARK in psutil.Process(pid).environ() for pid in alive(escaped)] == [True]
    os.kill(alive(escaped)[0], signal.SIGKILL)
