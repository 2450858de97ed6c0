"""A stack's tables under moto, and tokens for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import hypothesis
import pytest
from moto import mock_aws

from chalicelib import clock as clocks
from chalicelib.settings import read_settings
from chalicelib.system import System
from infra.local import provision

hypothesis.settings.register_profile("jobyard", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("jobyard")

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Clock(clocks.Clock):
    """Time that passes when told."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def passes(self, duration: timedelta) -> None:
        self.at += duration


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def stack() -> Iterator[None]:
    """A stack's tables in moto; making them takes longer than a test does."""
    with mock_aws():
        provision.create(stage="test")
        yield


@pytest.fixture
def system(stack: None, clock: Clock) -> Iterator[System]:
    """A system over the stack's tables, without any token."""
    made = System(read_settings(provision.settings(stage="test")), clock)
    yield made
    for left in made.tokens.every():
        made.tokens.revoke(left)


def token(
    system: System,
    workspace: str = "acme",
    role: str = "write",
    *,
    projects: list[str] | None = None,
    life: timedelta | None = None,
) -> str:
    """The text of a new token."""
    text, _ = system.tokens.create(
        workspace, role, projects=projects, name="test", life=life, now=NOW
    )
    return text
