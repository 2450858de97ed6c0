"""`make up` and `make demo`, started as a person starts them."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import boto3
import psutil
import pytest

from infra.local import provision
from infra.local.engines.process import MARK
from infra.local.owner import Owner
from tests.local.local_yard import wait_for
from tests.local.started import PATIENCE, ROOT, Client, Started

PROCESSES = ("--port", "0", "--engine", "process")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module")
def words(directory: Path) -> Iterator[str]:
    """The output of one stack, for the tests that only use it."""
    stack = Started(directory, *PROCESSES).until_up()
    yield stack.out
    stack.end()


@pytest.fixture
def client(words: str, directory: Path) -> Client:
    return Client(directory)


def test_the_printed_curl_line_creates_a_job(words: str, client: Client) -> None:
    """It is the first thing that a newcomer pastes, so it must work unchanged."""
    line = next(line for line in words.splitlines() if line.startswith("curl "))
    url, *rest = shlex.split(line)[2:]
    headers = dict(value.split(": ", 1) for flag, value in pairwise(rest) if flag == "-H")
    data = rest[rest.index("-d") + 1]
    request = urllib.request.Request(url, data=data.encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 201


def test_make_up_prints_what_it_started_and_that_its_state_is_not_kept(
    words: str, client: Client
) -> None:
    """It prints the URL, the token, the engine, and that the state is lost at the end."""
    assert client.env["JOBYARD_URL"] in words
    assert client.env["JOBYARD_TOKEN"] in words
    assert "processes" in words
    assert "state is gone" in words


def test_what_it_says_fits_into_80_columns(words: str, client: Client) -> None:
    """But for what is pasted whole: the link that signs in, alone on its line, and curl."""
    link = f"{client.env['JOBYARD_URL']}/console#/local/demo?token={client.env['JOBYARD_TOKEN']}"
    wide = [line for line in words.splitlines() if len(line) > 80]
    assert wide == [link, next(line for line in words.splitlines() if line.startswith("curl "))]


def test_a_run_goes_from_trigger_to_succeeded_with_its_output(client: Client) -> None:
    """The run passes the API, EventBridge's events, the local Fargate and the logs."""
    job = client.job("sh", "-c", "echo out; echo $JOBYARD_RUN_ID")
    run = client.finish(job)
    assert (run["status"], run["exit_code"]) == ("succeeded", 0)
    lines = client.call("GET", f"{job}/runs/{run['id']}/logs")["logs"]
    assert [line["message"] for line in lines[1:]] == ["out", run["id"]]


def test_a_cancelled_run_is_stopped(client: Client) -> None:
    """The cancel reaches the process, and the process's exit code reaches the run."""
    job = client.job("sleep", "600")
    run = client.call("POST", f"{job}/runs")
    path = f"{job}/runs/{run['id']}"
    wait_for(lambda: client.call("GET", path)["status"] == "running", "running")
    client.call("POST", f"{path}/cancel")
    assert client.call("GET", path)["status"] == "cancelled"
    assert client.until(path, "finished_at")["exit_code"] == 143


def test_the_aws_cli_of_a_shell_that_sources_env_sees_this_stack(client: Client) -> None:
    """The variables of .local/env are all that boto3 needs."""
    job = client.job("true")
    run = client.finish(job)
    session = boto3.session.Session(
        client.env["AWS_ACCESS_KEY_ID"],
        client.env["AWS_SECRET_ACCESS_KEY"],
        region_name=client.env["AWS_DEFAULT_REGION"],
    )
    endpoint = client.env["AWS_ENDPOINT_URL"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", endpoint)
    ecs = session.client("ecs", endpoint_url=endpoint)
    answer = ecs.list_tasks(cluster="jobyard-local", desiredStatus="STOPPED")
    assert run["task_arn"] in answer["taskArns"]
    tables = session.client("dynamodb", endpoint_url=endpoint).list_tables()["TableNames"]
    assert set(tables) == {
        provision.settings("local")[name]
        for name in ("JOBYARD_JOBS_TABLE", "JOBYARD_RUNS_TABLE", "JOBYARD_TOKENS_TABLE")
    }


def test_a_schedule_has_its_rule_in_eventbridge(client: Client) -> None:
    """`aws events list-rules` shows it."""
    job = client.job("true", schedule="* * * * *")
    events = boto3.client(
        "events",
        endpoint_url=client.env["AWS_ENDPOINT_URL"],
        region_name=client.env["AWS_DEFAULT_REGION"],
    )
    rules = events.list_rules(NamePrefix=f"jobyard-local-{job.rsplit('/')[-1]}")["Rules"]
    assert [rule["State"] for rule in rules] == ["ENABLED"]
    client.call("DELETE", job)


def test_a_part_of_a_sweep_is_done_by_a_function_of_its_own(
    client: Client, directory: Path
) -> None:
    """The product hands it over as on AWS, by Lambda's asynchronous invocation."""
    functions = boto3.client(
        "lambda",
        endpoint_url=client.env["AWS_ENDPOINT_URL"],
        region_name=client.env["AWS_DEFAULT_REGION"],
    )
    part = {"part": "shard", "shard": 3, "number": 0, "of": 1, "until": "2026-11-23T12:00:00+00:00"}
    functions.invoke(
        FunctionName=provision.settings("local")["JOBYARD_SWEEP_PART_FUNCTION"],
        InvocationType="Event",
        Payload=json.dumps(part),
    )
    written = directory / ".local" / "log"
    wait_for(lambda: '"swept a part"' in written.read_text(encoding="utf-8"), "the part done")


def test_the_env_file_is_for_its_owner_only(client: Client, directory: Path) -> None:
    """The file contains a token."""
    assert (directory / ".local/env").stat().st_mode & 0o077 == 0


def test_requests_without_the_token_are_refused(client: Client) -> None:
    """A local stack has no open routes either."""
    request = urllib.request.Request(f"{client.base}/jobs")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    assert caught.value.code == 401
    caught.value.close()


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """No child process, task file, .local/env or traceback is left, and the exit code is 0."""
    stack = Started(tmp_path, *PROCESSES).until_up()
    client = Client(tmp_path)
    job = client.job("sh", "-c", "sleep 600 & setsid sleep 600 & sleep 600")
    runs = [client.call("POST", f"{job}/runs") for _ in range(3)]
    path = f"{job}/runs/{runs[-1]['id']}"
    wait_for(lambda: client.call("GET", path)["status"] == "running", "running")
    children = psutil.Process(stack.process.pid).children(recursive=True)
    assert children
    assert (stack.end(signal.SIGINT), stack.err) == (0, "")
    assert stack.out.endswith("Stopping; its state is gone.\n")
    assert not any(map(_is_alive, children))
    assert not (tmp_path / ".local/env").exists()
    assert list((tmp_path / ".local/tasks").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="tgkill is Linux's")
def test_a_signal_that_another_thread_receives_ends_the_stack_too(tmp_path: Path) -> None:
    """The kernel may deliver Ctrl-C to any thread of the process."""
    stack = Started(tmp_path, *PROCESSES).until_up()
    pid = stack.process.pid
    other = max(int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir())
    assert other != pid
    assert ctypes.CDLL(None).tgkill(pid, other, signal.SIGINT) == 0
    assert (stack.end(None), stack.err) == (0, "")


def test_a_killed_stack_takes_its_tasks_with_it(tmp_path: Path) -> None:
    """
    After SIGKILL their supervisors notice its end and kill them; the next start removes the files.
    """
    stack = Started(tmp_path, *PROCESSES).until_up()
    client = Client(tmp_path)
    path = client.job("sh", "-c", "(env -i setsid sleep 600 &); sleep 600")
    run = client.call("POST", f"{path}/runs")
    wait_for(
        lambda: client.call("GET", f"{path}/runs/{run['id']}")["status"] == "running", "running"
    )
    children = psutil.Process(stack.process.pid).children(recursive=True)
    owner = {child.environ().get(MARK) for child in children} - {None}
    assert [Owner.parse(str(mark)).pid for mark in owner] == [stack.process.pid]
    stack.end(signal.SIGKILL)
    wait_for(lambda: not any(map(_is_alive, children)), "the children to end")
    second = Started(tmp_path, *PROCESSES).until_up()
    assert len(list((tmp_path / ".local/tasks").iterdir())) == 1
    assert (second.end(signal.SIGTERM), second.err) == (0, "")


def _is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; a killed orphan may stay a zombie until its new parent reaps it."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    """The line says which command to type instead, and there is no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stack = Started(tmp_path, "--port", str(port), "--engine", "process")
        assert stack.end(None) == 1
    assert stack.out == ""
    assert stack.err == f"Port {port} is taken; take another: make up PORT={port + 1}\n"


def test_an_engine_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    """ENGINE=docker does not silently use processes."""
    nowhere = f"unix://{tmp_path}/none.sock"
    stack = Started(tmp_path, "--port", "0", "--engine", "docker", DOCKER_HOST=nowhere)
    assert stack.end(None) == 1
    assert (stack.out, len(stack.err.splitlines())) == ("", 1)
    assert nowhere in stack.err


def test_the_demo_shows_both_runs_and_ends_with_zero(tmp_path: Path) -> None:
    """It prints each status, the output, the exit codes and the counts."""
    process = subprocess.run(
        [sys.executable, "-m", "infra.local.demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "AWS_PROFILE": "production"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")
    for word in ("pending", "running", "succeeded", "failed", "line 3 of run", "exit code 3"):
        assert word in process.stdout
    assert '"succeeded": 1' in process.stdout
