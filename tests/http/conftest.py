"""A stack's tables under moto, and tokens for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import hypothesis
import pytest
from moto import mock_aws

from chalicelib import auth, settings
from chalicelib.tables import db, tokens
from chalicelib.tables.tokens import Token
from infra.local import provision

hypothesis.settings.register_profile("jobyard", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("jobyard")

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def passes(self, duration: timedelta) -> None:
        self.now += duration


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings of a stage called `test`."""
    for name, value in provision.settings(stage="test").items():
        monkeypatch.setenv(name, value)
    settings.settings.cache_clear()
    yield
    settings.settings.cache_clear()


@pytest.fixture(scope="module")
def stack() -> Iterator[None]:
    """A stack's tables in moto; making them takes longer than a test does."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        provision.create(stage="test")
        patch.setattr(db, "_connection", None)
        patch.setattr(Token.Meta, "table_name", "")
        yield
    # Not the connection of before: the models are bound to the one that was made here.
    db._connection = None


@pytest.fixture
def tables(stack: None, environment: None) -> Iterator[None]:
    """The stage's tables, bound as a first request binds them, without any token."""
    auth.forget()
    tokens.connect()
    yield
    for left in tokens.every():
        tokens.delete(left)


def token(
    workspace: str = "acme",
    role: str = "write",
    *,
    projects: list[str] | None = None,
    life: timedelta | None = None,
) -> str:
    """The text of a new token."""
    text, _ = auth.create(workspace, role, projects=projects, name="test", life=life, now=NOW)
    return text
