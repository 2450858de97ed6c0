"""Fixtures of the deployment's tests: one package for all, and an account in moto."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from moto.server import ThreadedMotoServer

from infra import bytecode, package
from infra.dependencies import LAMBDA
from tests.deploy.world import World

collect_ignore = [] if os.environ.get("JOBYARD_E2E") == "1" else ["e2e"]


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> package.Package:
    """What `make package` makes; without bytecode where Lambda's Python is not at hand."""
    try:
        compiler = bytecode.find_compiler(LAMBDA.python)
    except bytecode.Missing:
        compiler = None
    return package.build(tmp_path_factory.mktemp("packaged"), LAMBDA, compiler)


@pytest.fixture(scope="session")
def template(packaged: package.Package) -> dict[str, Any]:
    """The packaged template, as CloudFormation gets it."""
    loaded: dict[str, Any] = json.loads(packaged.template.read_text())
    return loaded


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty AWS account in moto, a new one for each test."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield World()


@pytest.fixture
def server(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """moto as a server on a local port, for the AWS CLI, which runs as a separate process."""
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    yield
    started.stop()
