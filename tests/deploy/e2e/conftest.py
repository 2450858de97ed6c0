"""The packaged stack, deployed into an emulator of AWS as `make deploy` does it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from infra import account, deploy, package
from infra.account import Account
from infra.bytecode import find_compiler
from infra.dependencies import HOST
from infra.token_store import tokens_in
from infra.verify import runner
from infra.verify.results import Verified
from tests.deploy.e2e import emulator, gaps
from tests.deploy.e2e.emulator import IMAGE

STAGE = "e2e"


@dataclass(frozen=True)
class Stage:
    """A deployed stage: its package, the URL of its API, and a token."""

    name: str
    account: Account
    made: package.Package
    url: str
    token: str
    events: gaps.Events

    def call(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> tuple[int, Any]:
        """Send a request; a path without a leading / is taken under acme's project etl."""
        address = path if path.startswith("/") else f"/workspaces/acme/projects/etl/{path}"
        request = urllib.request.Request(self.url + address, method=method)
        request.add_header("Authorization", f"Bearer {token or self.token}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request that must succeed, and return the answer's `data`."""
        status, envelope = self.call(method, path, body)
        assert envelope["status"] == "success", (status, envelope)
        return envelope["data"]


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the emulator and return its URL; every AWS client made meanwhile uses it."""
    directory = tmp_path_factory.mktemp("aws")
    with (
        emulator.engine(directory) as docker_host,
        emulator.image(docker_host),
        emulator.running(directory, docker_host) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
            patch.delenv(name, raising=False)
        for name, value in {**emulator.KEYS, "AWS_ENDPOINT_URL": url, "JOBYARD_E2E": "1"}.items():
            patch.setenv(name, value)
        patch.setattr(account, "ROLE_SECONDS", 0)  # here a new role is usable at once
        yield url


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> package.Package:
    """
    The package that the tests deploy.

    It differs from the one for AWS in two things: its wheels are for this machine's Python and
    processor, because the emulator runs the functions here, and its template is changed where the
    emulator cannot take it as it is (see gaps.py).
    """
    made = package.build(tmp_path_factory.mktemp("package"), HOST, find_compiler(HOST.python))
    gaps.fit_template(made.template)
    return made


def deployed(
    url: str, where: Account, made: package.Package, token: str, events: gaps.Events
) -> Stage:
    """The stage as it is deployed now. Each first deployment makes an API with a new id."""
    api = deploy.outputs(STAGE)["RestAPIId"]
    gaps.complete_gateway(made.template, api)
    gaps.complete_tables(STAGE)
    return Stage(STAGE, where, made, f"{url}/_aws/execute-api/{api}/api", token, events)


@pytest.fixture(scope="session")
def stage(aws: str, made: package.Package) -> Iterator[Stage]:
    where = account.announce(STAGE, "deploying")
    account.prepare(where)
    deploy.deploy(STAGE, ["EventBus=default"], where, made)
    tokens = tokens_in(STAGE, where.region)
    token, _ = tokens.create(
        "acme", "write", projects=None, name="e2e", life=None, now=datetime.now(UTC)
    )
    with gaps.Events(f"jobyard-{STAGE}").told() as events:
        yield deployed(aws, where, made, token, events)


SKIPPED = {"metrics": "the emulator measures nothing of a task"}
"""The steps of `make verify` that the emulator cannot do, and why."""


@pytest.fixture(scope="session")
def verification(stage: Stage) -> Iterator[Future[Verified]]:
    """`make verify` on the stage; it runs while the tests that do not need its result run."""

    def verify() -> Verified:
        with gaps.frequent(f"jobyard-{stage.name}-sweep", 5):
            return runner.verify(stage.name, stage.url, IMAGE, skip=SKIPPED, at_once=2)

    with ThreadPoolExecutor(1, thread_name_prefix="verify") as pool:
        yield pool.submit(verify)


@pytest.fixture(scope="session")
def verified(verification: Future[Verified]) -> Verified:
    """The result of `make verify`."""
    return verification.result()
