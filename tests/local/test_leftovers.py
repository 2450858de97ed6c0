"""A stack removes what a killed stack left, and nothing of a stack that still runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from infra.local.engines.choice import choose
from infra.local.engines.docker import LABEL, DockerEngine
from infra.local.engines.process import MARK, ProcessEngine
from infra.local.owner import Owner

GONE = Owner(Owner.this().host, Owner.this().pid, Owner.this().started - 1000)
"""An earlier process of this machine that had the same process id."""


@pytest.fixture
def sleeper(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, MARK: str(request.param)}
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env=environment,
        start_new_session=True,
    )
    # Before its exec, a child still has its parent's environment.
    while MARK not in psutil.Process(process.pid).environ():
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


def clear_processes() -> None:
    engine = ProcessEngine({})
    engine.clear_leftovers()
    engine.close()


@pytest.mark.parametrize("sleeper", [GONE], indirect=True)
def test_processes_of_a_stack_that_is_gone_are_killed(sleeper: subprocess.Popen[bytes]) -> None:
    """They are found by the mark in their environment, whatever their process group."""
    clear_processes()
    assert sleeper.wait(10) == -9


@pytest.mark.parametrize(
    "sleeper", [Owner.this(), Owner("another-machine", 1, 1), "nonsense"], indirect=True
)
def test_processes_of_a_stack_that_lives_are_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    """
    Two stacks may run side by side, and another machine's processes cannot be checked from here.
    """
    clear_processes()
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.2)


def test_containers_of_a_stack_that_is_gone_are_removed(container_image: str) -> None:
    """They are removed running or not; containers of a living stack and of anybody else stay."""
    engine = choose("docker", {})
    assert isinstance(engine, DockerEngine)
    labels = {"gone": {LABEL: str(GONE)}, "lives": {LABEL: str(Owner.this())}, "other": {}}
    containers = {
        name: engine.client.containers.create(container_image, ["sleep", "600"], labels=label)
        for name, label in labels.items()
    }
    try:
        containers["gone"].start()
        engine.clear_leftovers()
        left = {container.id for container in engine.client.containers.list(all=True)}
        assert {name for name, c in containers.items() if c.id in left} == {"lives", "other"}
    finally:
        for name in ("lives", "other"):
            containers[name].remove(force=True)
        engine.close()


def test_a_reused_process_id_is_not_taken_for_the_owner() -> None:
    """A later process with the same id is another owner."""
    assert not Owner.this().is_gone
    assert Owner.parse(str(Owner.this())) == Owner.this()
    assert GONE.is_gone
    assert not Owner("another-machine", 1, 1).is_gone
