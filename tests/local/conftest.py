"""Fixtures of the local stack's tests: the engines, and the local Fargate with each of them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.errors import DockerException
from moto import mock_aws

from infra.local.engines import Engine
from infra.local.engines.choice import NoEngine, choose
from infra.local.engines.docker import DockerEngine
from infra.local.engines.process import ProcessEngine
from infra.local.fidelity.ecs import EcsFidelity
from tests.local.ecs_requests import PROVIDERS, Clock, client
from tests.local.local_yard import LocalYard, local_yard
from tests.local.own_podman import OwnPodman

IMAGE = "localhost/jobyard-test:latest"
PUBLIC_IMAGE = "public.ecr.aws/docker/library/busybox:1.36"


@pytest.fixture(scope="session")
def container_image() -> str:
    """
    The name of an image with busybox's tools; it is made from busybox-static, else pulled.

    Without an engine or an image the test is skipped; in CI (JOBYARD_TEST_ENGINE=required) it
    fails.
    """
    try:
        engine = choose("docker", {})
        assert isinstance(engine, DockerEngine)
        image = _image(engine)
        engine.close()
    except (NoEngine, DockerException) as error:
        if os.environ.get("JOBYARD_TEST_ENGINE") == "required":
            raise
        pytest.skip(f"no container engine for this test: {error}")
    return image


def _image(engine: DockerEngine) -> str:
    busybox = shutil.which("busybox")
    if busybox is None:
        engine.client.images.pull(*PUBLIC_IMAGE.split(":"))
        return PUBLIC_IMAGE
    archive = io.BytesIO()
    tools = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(busybox, "bin/busybox")
        for tool in set(tools.stdout.split()) - {"busybox"}:
            link = tarfile.TarInfo(f"bin/{tool}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    engine.client.api.import_image_from_data(
        archive.getvalue(), repository=IMAGE.split(":")[0], tag="latest"
    )
    return IMAGE


@pytest.fixture
def podman(container_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPodman]:
    """A Podman service that the test may stop and start; in CI a missing Podman is an error."""
    if shutil.which("podman") is None:
        assert os.environ.get("JOBYARD_TEST_ENGINE") != "required"
        pytest.skip("only a Podman service can be stopped and started by a test")
    podman = OwnPodman(tmp_path_factory.mktemp("podman")).start()
    yield podman
    podman.kill()


@pytest.fixture(params=["process", "docker"])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def image(engine_name: str, request: pytest.FixtureRequest) -> str:
    """The name of an image that the engine has; with processes any name will do."""
    if engine_name == "process":
        return "not/used"
    return str(request.getfixturevalue("container_image"))


@pytest.fixture
def engine(engine_name: str, image: str) -> Engine:
    """Each engine in turn."""
    return ProcessEngine({}) if engine_name == "process" else choose("docker", {})


@pytest.fixture
def yard(engine: Engine, tmp_path: Path) -> Iterator[LocalYard]:
    """The local Fargate with that engine."""
    with local_yard(engine, tmp_path) as made:
        yield made


@pytest.fixture
def process_yard(tmp_path: Path) -> Iterator[LocalYard]:
    """The local Fargate with processes, for tests that do not depend on the engine."""
    with local_yard(ProcessEngine({}), tmp_path) as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ecs(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[EcsFidelity]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws(), EcsFidelity.install(now=clock) as fidelity:
        client().create_cluster(clusterName="yard", capacityProviders=PROVIDERS)
        yield fidelity
