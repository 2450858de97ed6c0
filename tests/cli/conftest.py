"""One local stack for all tests of this folder, and a project of its own for each."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import local_stack
from tests.cli.local_stack import Shell
from tests.cli.relay import Relay, without_schedule


@pytest.fixture(scope="session")
def stack_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stack has its `.local`."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def stack(stack_directory: Path) -> Iterator[dict[str, str]]:
    """Its URL, token and workspace, as variables."""
    with local_stack.started(stack_directory) as env:
        yield env


@pytest.fixture
def shell(stack: dict[str, str], tmp_path: Path) -> Shell:
    """A shell with the stack's settings and a project that nobody else uses."""
    return Shell(tmp_path, stack | {"JOBYARD_PROJECT": f"p{uuid.uuid4().hex[:12]}"})


@pytest.fixture
def relay(stack: dict[str, str]) -> Iterator[Relay]:
    """What stands between the client and the API."""
    made = Relay(stack["JOBYARD_URL"])
    yield made
    made.close()


@pytest.fixture
def relayed(shell: Shell, relay: Relay) -> Shell:
    """The same shell, behind the relay."""
    return Shell(shell.directory, {**shell.settings, "JOBYARD_URL": relay.url})


@pytest.fixture
def older(shell: Shell, stack: dict[str, str]) -> Iterator[Shell]:
    """The same shell, before a stage that is older than GET /schedule."""
    made = Relay(stack["JOBYARD_URL"], without_schedule)
    yield Shell(shell.directory, {**shell.settings, "JOBYARD_URL": made.url})
    made.close()
