"""A `podman system service` that belongs to one test, which may kill, halt and restart it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import requests
from docker.errors import DockerException

from infra.local.engines.docker import TASK_LABEL, DockerEngine
from tests.local.local_yard import wait_for


class OwnPodman:
    """
    The service that answers at `url`; every Podman service of this user sees the same containers.
    """

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "podman.sock"
        self._log = directory / "podman.log"
        self.url = f"unix://{self._socket}"
        self._service: subprocess.Popen[bytes] | None = None

    def start(self) -> OwnPodman:
        """Start the service and wait until it answers."""
        self._socket.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._service = subprocess.Popen(
                ["podman", "system", "service", "--time=0", self.url],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._answers, f"an answer at {self.url}, {self._log.read_text()}")
        return self

    def kill(self) -> None:
        """Kill it at once, as when the machine runs out of memory; containers run on without it."""
        if self._service is not None:
            self._service.kill()
            self._service.wait()
            self._service = None

    def halt(self) -> None:
        """Let it accept connections and never answer."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._service is not None
        os.kill(self._service.pid, number)

    def _answers(self) -> bool:
        try:
            engine = DockerEngine(self.url)
        except (DockerException, requests.RequestException):
            return False
        engine.close()
        return True


def containers_of(podman: OwnPodman, task_id: str) -> list[str]:
    """The ids of a task's containers, as the engine lists them."""
    engine = DockerEngine(podman.url)
    label = f"{TASK_LABEL}={task_id}"
    found = engine.client.api.containers(all=True, filters={"label": label})
    engine.close()
    return [container["Id"] for container in found]


def remove_containers_of(podman: OwnPodman, task_id: str) -> None:
    """Remove a task's containers as a person does with `podman rm --force`."""
    engine = DockerEngine(podman.url)
    for container in containers_of(podman, task_id):
        engine.client.api.remove_container(container, force=True)
    engine.close()
