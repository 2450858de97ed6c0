"""Ctrl-C ends `make up` within seconds, whatever its container engine does."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.local.local_yard import wait_for
from tests.local.own_podman import OwnPodman, containers_of, remove_containers_of
from tests.local.started import Client, Started

pytestmark = pytest.mark.filterwarnings(
    # the docker SDK does not close the socket after a Unix socket refuses the connection
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)

SECONDS = 25
"""Seconds; giving up an engine takes about ten, and this machine may be busy."""


def start(podman: OwnPodman, directory: Path) -> Started:
    return Started(directory, "--port", "0", "--engine", "docker", DOCKER_HOST=podman.url)


def run_for_ever(stack: Started, directory: Path, image: str) -> str:
    """Start a task that ignores SIGTERM, wait until it runs, and return its id."""
    stack.until_up()
    client = Client(directory)
    job = client.job("sh", "-c", "trap '' TERM; while :; do sleep 1; done", image=image)
    run = f"{job}/runs/{client.call('POST', f'{job}/runs')['id']}"
    wait_for(lambda: client.call("GET", run)["status"] == "running", "running")
    return str(client.call("GET", run)["task_arn"]).rsplit("/", 1)[-1]


def test_ctrl_c_leaves_nothing_behind_while_the_engine_answers(
    podman: OwnPodman, container_image: str, tmp_path: Path
) -> None:
    """The container is killed and removed."""
    stack = start(podman, tmp_path)
    task = run_for_ever(stack, tmp_path, container_image)
    began = time.monotonic()
    assert (stack.end(signal.SIGINT), stack.err) == (0, "")
    assert time.monotonic() - began < SECONDS
    assert containers_of(podman, task) == []


@pytest.mark.parametrize("state", [OwnPodman.kill, OwnPodman.halt])
def test_ctrl_c_gives_up_on_a_silent_engine_and_prints_what_may_be_left(
    podman: OwnPodman, container_image: str, tmp_path: Path, state: Callable[[OwnPodman], None]
) -> None:
    """The next start removes what was left."""
    stack = start(podman, tmp_path)
    task = run_for_ever(stack, tmp_path, container_image)
    state(podman)
    began = time.monotonic()
    assert stack.end(signal.SIGINT) == 1
    assert time.monotonic() - began < SECONDS
    assert f"container jobyard-{task}" in stack.out
    podman.kill()
    podman.start()
    assert len(containers_of(podman, task)) == 1
    second = start(podman, tmp_path).until_up()
    wait_for(lambda: containers_of(podman, task) == [], "the container to go")
    assert second.end(signal.SIGINT) == 0


def test_a_second_ctrl_c_ends_at_once_and_says_what_may_be_left(
    podman: OwnPodman, container_image: str, tmp_path: Path
) -> None:
    """A second Ctrl-C is for somebody who does not want to wait."""
    stack = start(podman, tmp_path)
    task = run_for_ever(stack, tmp_path, container_image)
    podman.halt()
    stack.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Stopping" in stack.out, "the first to be noticed")
    began = time.monotonic()
    assert stack.end(signal.SIGINT) == 1
    assert time.monotonic() - began < 4
    assert f"container jobyard-{task}" in stack.out
    podman.go_on()
    remove_containers_of(podman, task)


def test_a_start_that_waits_for_an_engine_can_be_stopped(podman: OwnPodman, tmp_path: Path) -> None:
    """The engine accepts the connection and does not answer."""
    podman.halt()
    stack = start(podman, tmp_path)
    wait_for((tmp_path / ".local/log").exists, "the start")
    time.sleep(3)
    began = time.monotonic()
    assert (stack.end(signal.SIGINT), stack.out) == (130, "Stopped before it was up.\n")
    assert time.monotonic() - began < 8
    assert "Traceback" not in stack.err
    podman.go_on()
