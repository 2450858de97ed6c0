"""Schemathesis reads GET /openapi.json and finds no answer that contradicts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app
from infra.local.gateway import Gateway
from infra.local.lambda_context import Context
from tests.yard import Yard, make_yard

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
REQUESTS = 1_500
"""The least number of requests; how many schemathesis makes from one seed varies."""

Statuses = Counter[int]


@pytest.fixture
def served() -> Iterator[tuple[Yard, str, Statuses]]:
    """The API on a local port, served as by the local stack, with one job and one run."""
    statuses: Statuses = Counter()

    def counted(event: dict[str, Any], context: Context) -> dict[str, Any]:
        response: dict[str, Any] = app.app(event, context)
        statuses[response["statusCode"]] += 1
        return response

    with make_yard("test") as yard:
        yard.trigger(yard.create(name="first", schedule="@daily"))
        gateway = Gateway(counted, app.app.routes, 0)
        try:
            yield yard, gateway.url, statuses
        finally:
            gateway.close()


def test_schemathesis_finds_nothing(
    served: tuple[Yard, str, Statuses], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    It runs all its checks and phases: examples, coverage of boundaries, fuzzing, chains of calls.
    """
    yard, url, statuses = served
    command = [
        *(
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(HERE / "schemathesis.toml"),
        ),
        *("run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {yard.token}"),
        *("--checks", "all", "--phases", "examples,coverage,fuzzing,stateful"),
        *("--max-examples", "30"),
    ]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    with capsys.disabled():
        print(
            f"\nschemathesis: {sum(statuses.values())} requests, {dict(sorted(statuses.items()))}"
        )
    report = "\n".join(line[:500] for line in done.stdout.splitlines())
    assert done.returncode == 0, f"{report}\n{done.stderr}"
    described = sum(endpoint.is_described for endpoint in app.app.endpoints.values())
    assert f"{described} selected / {described} total" in report
    assert sum(statuses.values()) >= REQUESTS
    assert not [status for status in statuses if status >= 500]
