"""`jobyard run`: its exit status, what it prints, and what Ctrl-C does."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from typing import Any

import pytest

from tests.cli.local_stack import COMMAND, Shell, wait_for

NOTICE = "jobyard: no container engine"


def own(output: str) -> list[str]:
    """The lines of a run without the local stack's notice that it uses processes."""
    return [line for line in output.splitlines() if not line.startswith(NOTICE)]


@pytest.mark.parametrize("how", ["--wait", "--follow"])
def test_the_exit_status_is_the_containers_exit_code(shell: Shell, how: str) -> None:
    """This holds for 0 and for other codes."""
    shell.create("good", "exit 0")
    shell.create("bad", "exit 7")
    shell("run", "good", how, status=0)
    shell("run", "bad", how, status=7)


def test_run_without_wait_prints_the_runs_id(shell: Shell) -> None:
    """A script can use the id in later commands."""
    shell.create("quick", "true")
    done = shell("run", "quick")
    run_id = done.stdout.strip()
    assert re.fullmatch(r"run_[0-9A-Z]{26}", run_id)
    assert shell.json("show", run_id)["id"] == run_id


def test_follow_puts_the_output_on_stdout_and_all_else_on_stderr(shell: Shell) -> None:
    """Standard output has the lines of both container streams, and nothing of the command's own."""
    shell.create("talks", "echo one; echo two >&2; sleep 1; echo three")
    done = shell("run", "talks", "--follow")
    assert own(done.stdout) == ["one", "two", "three"]
    assert "talks: running" in done.stderr
    assert re.search(r"talks: succeeded after \d", done.stderr)


def test_a_failed_run_says_why_and_shows_its_last_ten_lines(shell: Shell) -> None:
    """It prints the error, the hint and the output without an option."""
    shell.create("fails", "for n in $(seq 12); do echo line $n; done; exit 3")
    done = shell("run", "fails", "--wait", status=3)
    assert done.stdout == ""
    assert "failed" in done.stderr
    assert "with exit code 3" in done.stderr
    assert "nonzero_exit:" in done.stderr
    assert "hint:" in done.stderr
    shown = re.findall(r"\| (line \d+)", done.stderr)
    assert shown == [f"line {n}" for n in range(3, 13)]


def test_an_overridden_command_and_variable_reach_the_container(shell: Shell) -> None:
    """The override is for this run only."""
    shell.create("echoes", "echo from the job")
    done = shell("run", "echoes", "--follow", "-e", "WHO=you", "--", "sh", "-c", "echo $WHO")
    assert own(done.stdout) == ["you"]


def test_a_cancelled_run_exits_with_126(shell: Shell) -> None:
    """It does not matter who cancelled the run."""
    shell.create("long", "sleep 600")
    waiting = shell.start("run", "long", "--follow")
    run_id = until_running(shell, "long")
    shell("cancel", run_id)
    out, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, "cancelled" in err) == (126, True), (out, err)


def test_timeout_exits_with_124_and_leaves_the_run(shell: Shell) -> None:
    """The run goes on, and the command says so."""
    shell.create("long", "sleep 600")
    done = shell("run", "long", "--wait", "--timeout", "2s", status=124)
    assert "goes on" in done.stderr
    run_id = shell("runs", "long", "-o", "name").stdout.strip()
    assert shell.json("show", run_id)["status"] in ("pending", "running")
    shell("cancel", run_id)


def test_a_run_that_never_started_exits_with_125(shell: Shell) -> None:
    """Here the program does not exist."""
    shell("create", "absent", "--image", "any", "--", "/no/such/program")
    done = shell("run", "absent", "--wait", status=125)
    assert "/no/such/program" in done.stderr


def test_a_failed_run_without_an_exit_code_exits_with_1(shell: Shell) -> None:
    """A run that is stopped for its time-out may end with exit code 0."""
    shell.create("slow", "trap 'exit 0' TERM; sleep 600 & wait", "--timeout", "1s")
    done = shell("run", "slow", "--wait", status=1)
    assert "timed_out" in done.stderr


@pytest.mark.parametrize(("how", "status"), [("cancel", "cancelled"), ("leave", "running")])
def test_ctrl_c_exits_with_130_and_follows_on_interrupt(
    shell: Shell, how: str, status: str
) -> None:
    """The run is cancelled or goes on."""
    shell.create("long", "echo up; sleep 600")
    waiting = shell.start("run", "long", "--follow", "--on-interrupt", how)
    run_id = until_running(shell, "long")
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 130, err
    assert run_id in err
    assert shell.json("show", run_id)["status"] == status
    if how == "leave":
        shell("cancel", run_id)


def test_ctrl_c_without_a_terminal_leaves_the_run(shell: Shell) -> None:
    """Nobody can be asked, and a build that is interrupted must not cancel a production run."""
    shell.create("long", "sleep 600")
    waiting = shell.start("run", "long", "--wait")
    run_id = until_running(shell, "long")
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, "goes on" in err) == (130, True), err
    assert shell.json("show", run_id)["status"] == "running"
    shell("cancel", run_id)


def test_ctrl_c_on_a_terminal_asks(shell: Shell) -> None:
    """The answer `y` cancels the run."""
    shell.create("long", "sleep 600")
    master, slave = pty.openpty()
    waiting = subprocess.Popen(
        [*COMMAND, "run", "long", "--wait"],
        cwd=shell.directory,
        env=shell.environment | {"TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    run_id = until_running(shell, "long")
    waiting.send_signal(signal.SIGINT)
    seen = read_until(master, "Cancel the run?")
    os.write(master, b"y\n")
    seen += read_until(master, "was cancelled")
    assert waiting.wait(60) == 130, seen
    os.close(master)
    assert shell.json("show", run_id)["status"] == "cancelled"


def test_follow_with_an_output_format_exits_with_2(shell: Shell) -> None:
    """Standard output cannot have both."""
    done = shell("run", "any", "--follow", "-o", "json", status=2)
    assert done.stdout == ""


def test_wait_with_json_prints_the_run_as_it_ended(shell: Shell) -> None:
    """Standard output has nothing else."""
    shell.create("bad", "exit 4")
    done = shell("run", "bad", "--wait", "-o", "json", status=4)
    run = json.loads(done.stdout)
    assert (run["status"], run["exit_code"]) == ("failed", 4)


def until_running(shell: Shell, name: str) -> str:
    """Wait until the job's newest run is running, and return its id."""
    with shell.client() as client:
        job: dict[str, Any] = {}

        def is_running() -> bool:
            nonlocal job
            job = job or client.find_job(name)
            return any(run["status"] == "running" for run in client.job_runs(job["id"], limit=1))

        wait_for(is_running, f"{name} runs")
        return str(next(client.job_runs(job["id"], limit=1))["id"])


def read_until(master: int, text: str) -> str:
    """Read from the terminal until `text` has come, and return all that was read."""
    seen = ""
    deadline = time.monotonic() + 60
    while text not in seen:
        assert time.monotonic() < deadline, seen
        seen += os.read(master, 4096).decode(errors="replace")
    return seen
