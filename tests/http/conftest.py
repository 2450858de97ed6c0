"""Fixtures of the HTTP tests: a stack's tables in moto, tokens, and a small API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import hypothesis
import pytest
from moto import mock_aws

from chalicelib import clock as clocks
from chalicelib.domain.job_spec import JobCreate
from chalicelib.http.answer import Answer, created, ok
from chalicelib.http.api import PROJECT, Api
from chalicelib.http.queries import ListRuns
from chalicelib.http.request import Request
from chalicelib.settings import read_settings
from chalicelib.system import System
from infra.local import provision
from tests.http.small_api import JOB

hypothesis.settings.register_profile("jobyard", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("jobyard")

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Clock(clocks.Clock):
    """A clock that stands still until the test moves it."""

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
    """
    A stack's tables in moto, made once per module because making them takes longer than a test.
    """
    with mock_aws():
        provision.create(stage="test")
        yield


@pytest.fixture
def system(stack: None, clock: Clock) -> Iterator[System]:
    """
    A system over the stack's tables. It begins without tokens, and those that a test makes are
    removed.
    """
    made = System(read_settings(provision.settings(stage="test")), clock)
    yield made
    for left in made.tokens.every():
        made.tokens.revoke(left, NOW)


def token(
    system: System,
    workspace: str = "acme",
    role: str = "write",
    *,
    projects: list[str] | None = None,
    life: timedelta | None = None,
) -> str:
    """Create a token and return its text."""
    text, _ = system.tokens.create(
        workspace, role, projects=projects, name="test", life=life, now=NOW
    )
    return text


@pytest.fixture
def app(system: System) -> Api:
    """An API with one route of each kind; each handler answers with what it was given."""
    app = Api("test", lambda: system)

    @app.get("/health", role=None)
    def health(request: Request) -> Answer:
        return ok("up")

    @app.post(PROJECT + "/jobs", role="write")
    def create(request: Request) -> Answer:
        return created("made", {"name": request.parse(JobCreate).name}, f"jobs/{JOB}")

    @app.get(PROJECT + "/jobs/{job_id}/runs", role="read", query="ListRuns")
    def list_runs(request: Request, job_id: str) -> Answer:
        return ok("runs", {"limit": request.query(ListRuns).limit, "project": request.project})

    @app.delete(PROJECT + "/jobs/{job_id}/runs/{run_id}", role="run")
    @app.post(PROJECT + "/jobs/{job_id}/runs/{run_id}/cancel", role="run")
    def cancel(request: Request, job_id: str, run_id: str) -> Answer:
        return ok("cancelled", {"job": job_id, "run": run_id})

    return app


@pytest.fixture
def write(system: System) -> str:
    return token(system)
