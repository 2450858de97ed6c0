"""
Fixtures of the command line's tests: one local stack for all, and a new project for each test.
"""

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
    """The directory in which the stack has its `.local`."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def stack(stack_directory: Path) -> Iterator[dict[str, str]]:
    """The URL, token and workspace of the stack, as variables."""
    with local_stack.started(stack_directory) as env:
        yield env


@pytest.fixture
def shell(stack: dict[str, str], tmp_path: Path) -> Shell:
    """A shell with the stack's settings and a project that no other test uses."""
    return Shell(tmp_path, stack | {"JOBYARD_PROJECT": f"p{uuid.uuid4().hex[:12]}"})


@pytest.fixture
def relay(stack: dict[str, str]) -> Iterator[Relay]:
    """A relay between the client and the API."""
    made = Relay(stack["JOBYARD_URL"])
    yield made
    made.close()


@pytest.fixture
def relayed(shell: Shell, relay: Relay) -> Shell:
    """The same shell, whose requests go through the relay."""
    return Shell(shell.directory, {**shell.settings, "JOBYARD_URL": relay.url})


@pytest.fixture
def older(shell: Shell, stack: dict[str, str]) -> Iterator[Shell]:
    """The same shell with a stage that is older than GET /schedule."""
    made = Relay(stack["JOBYARD_URL"], without_schedule)
    yield Shell(shell.directory, {**shell.settings, "JOBYARD_URL": made.url})
    made.close()
