"""While a container engine does not answer, no exit code, line or stop of a task is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import fargate
from infra.local.engines.docker import DockerEngine
from tests.local.local_yard import LocalYard, local_yard, wait_for
from tests.local.own_podman import OwnPodman, containers_of, remove_containers_of

pytestmark = pytest.mark.filterwarnings(
    # the docker SDK does not close the socket after a Unix socket refuses the connection
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def outage_yard(podman: OwnPodman, tmp_path: Path) -> Iterator[LocalYard]:
    """The local Fargate with an engine that the test may stop."""
    with local_yard(DockerEngine(podman.url), tmp_path / "tasks") as yard:
        yield yard


def containers(podman: OwnPodman, arn: str) -> list[str]:
    return containers_of(podman, arn.rsplit("/", 1)[-1])


def running(yard: LocalYard, image: str, script: str, **container: int) -> str:
    """Start a task and wait until its script has written `up`."""
    arn = yard.run("sh", "-c", f"echo up; {script}", image=image, **container)
    wait_for(lambda: "up" in yard.lines(arn), "the first line")
    return arn


def test_a_container_removed_by_hand_has_no_exit_code(
    outage_yard: LocalYard, podman: OwnPodman, container_image: str
) -> None:
    """Podman answers the wait with code 0 and an error, which must not count as a success."""
    arn = running(outage_yard, container_image, "trap '' TERM; while :; do sleep 0.1; done")
    remove_containers_of(podman, arn.rsplit("/", 1)[-1])
    task = outage_yard.until(arn)
    assert "exitCode" not in task["containers"][0]
    assert task["stopCode"] == "InfrastructureHealth"


def test_a_stop_during_an_outage_reaches_the_container_after_it(
    outage_yard: LocalYard, podman: OwnPodman, container_image: str
) -> None:
    """SIGTERM comes first, and its time-out begins when the engine is back."""
    script = "trap 'echo bye; exit 7' TERM; while :; do sleep 0.05; done"
    arn = running(outage_yard, container_image, script, stopTimeout=2)
    podman.kill()
    outage_yard.stop(arn)
    time.sleep(3)
    assert outage_yard.task(arn)["lastStatus"] == "RUNNING"
    podman.start()
    assert outage_yard.until(arn)["containers"][0]["exitCode"] == 7
    assert outage_yard.lines(arn)[-1] == "bye"
    assert containers(podman, arn) == []


def test_output_of_an_outage_is_read_after_it_without_loss_or_repetition(
    outage_yard: LocalYard, podman: OwnPodman, container_image: str, tmp_path: Path
) -> None:
    """This holds for both streams of a container that runs on, and its exit code arrives."""
    script = (
        "i=0; while [ $i -lt 600 ]; do echo out $i; echo err $i >&2; sleep 0.01; i=$((i+1)); done;"
        "exit 5"
    )
    arn = running(outage_yard, container_image, script)
    for _ in range(2):
        podman.kill()
        time.sleep(1)
        podman.start()
        lines = len(outage_yard.lines(arn))
        wait_for(lambda seen=lines: len(outage_yard.lines(arn)) > seen, "more lines")  # type: ignore[misc]
        assert outage_yard.task(arn)["lastStatus"] == "RUNNING"
    assert outage_yard.until(arn)["containers"][0]["exitCode"] == 5
    lines_ = outage_yard.lines(arn)
    for stream in ("out", "err"):
        wanted = [f"{stream} {number}" for number in range(600)]
        assert [line for line in lines_ if line.startswith(stream)] == wanted


def test_a_flood_of_output_keeps_every_line_whole_across_an_outage(
    outage_yard: LocalYard, podman: OwnPodman, container_image: str
) -> None:
    """The engine dies while the pieces of both streams end anywhere within lines."""
    script = "i=0; while [ $i -lt 30000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"
    arn = running(outage_yard, container_image, script)
    podman.kill()
    podman.start()
    outage_yard.until(arn, seconds=120)
    lines = outage_yard.lines(arn)
    assert len(lines) == 60_001
    for stream in ("out", "err"):
        wanted = [f"{stream} {number}" for number in range(30_000)]
        assert [line for line in lines if line.startswith(stream)] == wanted


@pytest.mark.parametrize("code", [0, 3])
def test_a_container_that_ends_during_an_outage_keeps_its_exit_code_and_output(
    outage_yard: LocalYard, podman: OwnPodman, container_image: str, code: int
) -> None:
    """The engine still has both when it is back."""
    arn = running(outage_yard, container_image, f"sleep 1; seq 1 5000; exit {code}")
    podman.kill()
    time.sleep(2.5)
    podman.start()
    assert outage_yard.until(arn)["containers"][0]["exitCode"] == code
    assert outage_yard.lines(arn) == ["up", *map(str, range(1, 5001))]
    assert containers(podman, arn) == []


def test_an_engine_that_halts_for_a_while_loses_nothing(
    outage_yard: LocalYard, podman: OwnPodman, container_image: str
) -> None:
    """The halted engine answers nothing; a stop is delivered as soon as it goes on."""
    script = "trap 'exit 9' TERM; i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"
    arn = running(outage_yard, container_image, script)
    podman.halt()
    outage_yard.stop(arn)
    time.sleep(2)
    podman.go_on()
    assert outage_yard.until(arn)["containers"][0]["exitCode"] == 9
    lines = outage_yard.lines(arn)[1:]
    assert lines == [str(number) for number in range(len(lines))]


@pytest.mark.parametrize("state", ["kill", "halt"])
def test_closing_gives_up_an_engine_that_does_not_answer_and_says_what_is_left(
    podman: OwnPodman,
    container_image: str,
    tmp_path: Path,
    state: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Closing ends within seconds; the next stack removes what is left."""
    monkeypatch.setattr(fargate, "PATIENCE", 2)
    engine = DockerEngine(podman.url)
    try:
        with local_yard(engine, tmp_path / "tasks") as yard:
            arn = running(yard, container_image, "sleep 600")
            getattr(podman, state)()
            began = time.monotonic()
        assert time.monotonic() - began < 10
        assert yard.left == [f"container jobyard-{arn.rsplit('/', 1)[-1]}"]
    finally:
        if state == "halt":
            podman.go_on()
        else:
            podman.start()
        remove_containers_of(podman, arn.rsplit("/", 1)[-1])
