"""ENGINE decides what runs the tasks; nothing else is used silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local.engines.choice import NoEngine, choose
from infra.local.engines.docker import DockerEngine


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A DOCKER_HOST where no engine listens; no other address is tried."""
    url = f"unix://{tmp_path}/none.sock"
    monkeypatch.setenv("DOCKER_HOST", url)
    return url


@pytest.mark.usefixtures("nowhere")
def test_auto_uses_processes_where_no_container_engine_answers() -> None:
    """A newcomer without Docker can still run a job."""
    engine = choose("auto", {})
    engine.close()
    assert engine.name == "process"


def test_docker_without_an_answering_engine_is_refused_with_the_addresses_tried(
    nowhere: str,
) -> None:
    """Somebody who asks for containers does not get processes."""
    with pytest.raises(NoEngine, match="no engine answers") as caught:
        choose("docker", {})
    assert nowhere in str(caught.value)


def test_an_unknown_engine_is_refused_with_the_list_of_engines() -> None:
    """A misspelt engine is not taken for auto."""
    with pytest.raises(NoEngine, match="auto, docker or process"):
        choose("podman", {})


@pytest.mark.usefixtures("container_image")
def test_auto_uses_the_container_engine_that_answers() -> None:
    """Containers are closer to Fargate than processes are."""
    engine = choose("auto", {})
    assert isinstance(engine, DockerEngine)
    engine.close()
    process = choose("process", {})
    process.close()
    assert process.name == "process"
