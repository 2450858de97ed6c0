"""Tasks as containers, through the Docker Engine API of Docker or Podman."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from docker.api.client import APIClient
from docker.client import DockerClient
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.errors import APIError, DockerException, ImageNotFound
from docker.types.containers import LogConfig
from docker.types.daemon import CancellableStream

from infra.local.engines import OUTPUT, Handlers, Running, StartError, Usage
from infra.local.engines.container import FAILED, Connection, Container
from infra.local.owner import Owner
from infra.local.task_spec import Spec

LABEL = "jobyard.stack"
"""Label of every container: the stack that owns it, so that a clearing finds it."""
TASK_LABEL = "jobyard.task"
TIMEOUT = 60
"""Seconds for a call of the engine; waiting for output or for the end has no limit."""
QUICK = 10
"""Seconds for what is answered at once: is it there, a signal, a reading."""

MINIMUM_API = "1.41"
"""Docker 20.10 and Podman 4 speak it; one-shot statistics came with it."""

log = logging.getLogger(__name__)


class NoInit(Exception):
    """The engine's machine has no docker-init or catatonit."""


class DockerEngine:
    """Runs each task as a container with the task's CPU and memory as limits."""

    name = "docker"
    answers_at_start = False
    """Podman answers after it has written its database: on a busy disk, late."""

    def __init__(self, url: str) -> None:
        """Raises DockerException if no engine answers at `url`."""
        self.url = url
        version = _api_version(url)
        self.client = DockerClient(
            base_url=url, version=version, timeout=TIMEOUT, max_pool_size=256
        )
        quick = APIClient(base_url=url, version=version, timeout=QUICK, max_pool_size=256)
        self._connection = Connection(self.client.api, quick)
        self._has_init = True

    @cached_property
    def _cpus(self) -> int:
        """Asked only for tasks of more than one vCPU: Podman takes a second for this answer."""
        return int(self.client.info()["NCPU"])

    def _nano_cpus(self, spec: Spec) -> int:
        """The task's vCPUs; an engine refuses more than its machine has."""
        vcpus = spec.cpu_units / 1024
        return int((vcpus if vcpus <= 1 else min(vcpus, self._cpus)) * 1e9)

    def notice(self, spec: Spec) -> str | None:
        return None

    def start(self, spec: Spec, directory: Path, handlers: Handlers) -> Container:
        self._ensure_image(spec.image, handlers)
        try:
            container, stream = self._launch(spec, init=spec.has_init and self._has_init)
        except NoInit:
            log.warning("%s has no init for containers; they run without", self.url)
            self._has_init = False
            container, stream = self._launch(spec, init=False)
        names = (str(container.id), _name(spec))
        return Container(self._connection, names, stream, directory / OUTPUT, handlers)

    def _launch(self, spec: Spec, *, init: bool) -> tuple[Any, CancellableStream]:
        container = None
        try:
            container = self.client.containers.create(
                spec.image,
                name=_name(spec),
                command=spec.command,
                entrypoint=spec.entrypoint,
                environment=spec.env,
                init=init,
                labels={LABEL: str(Owner.this()), TASK_LABEL: spec.task_id},
                mem_limit=f"{spec.memory_mib}m",
                # Fargate has no swap
                memswap_limit=f"{spec.memory_mib}m",
                nano_cpus=self._nano_cpus(spec),
                # A log that can be read again after an outage of the engine.
                log_config=LogConfig(type=LogConfig.types.JSON),
            )
            # Attached before the start, so that not even the first byte is missed.
            stream = container.attach(stream=True, stdout=True, stderr=True, demux=True)
            container.start()
        except FAILED as error:
            # One that was not answered may have made or started it all the same.
            if container is not None or not isinstance(error, APIError):
                self._connection.removals.remove(_name(spec))
            words = _words(error)
            if init and "-init" in words and "not found" in words:
                raise NoInit(words) from error
            raise StartError(f"CannotStartContainerError: {words}") from error
        return container, stream

    def _ensure_image(self, image: str, handlers: Handlers) -> None:
        try:
            try:
                self.client.images.get(image)
            except ImageNotFound:
                self._pull(image, handlers)
        except FAILED as error:
            raise StartError(f"CannotPullContainerError: {_words(error)}") from error

    def _pull(self, image: str, handlers: Handlers) -> None:
        log.info("pulling %s", image)
        repository, tag = _name_and_tag(image)
        for progress in self.client.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in progress:
                raise StartError(f"CannotPullContainerError: {progress['error']}")
            if not handlers.is_wanted():
                raise StartError("CannotPullContainerError: the task was stopped meanwhile")

    def measure(self, running: Sequence[Running]) -> list[Usage | None]:
        containers = [item for item in running if isinstance(item, Container)]
        usages: list[Usage | None] = []
        try:
            for container in containers:
                usages.append(container.measure())
        except requests.RequestException:
            # It does not answer: each of the others would wait as long.
            log.debug("%s gave no readings", self.url)
        return usages + [None] * (len(containers) - len(usages))

    def clear_leftovers(self) -> None:
        """Remove every container that carries the label of a stack that is gone."""
        for container in self.client.containers.list(
            all=True, filters={"label": LABEL}, ignore_removed=True
        ):
            try:
                is_gone = Owner.parse(container.labels[LABEL]).is_gone
            except ValueError:
                # A label that no stack wrote: not ours.
                continue
            if is_gone:
                self._connection.removals.remove(container.id)

    def close(self) -> list[str]:
        self._connection.closing.set()
        names = self._connection.removals.close(is_answering=_is_answering(self.url))
        self._connection.quick.close()
        self.client.close()
        return [f"container {name}" for name in names]


def _name(spec: Spec) -> str:
    """Of the container, so that one can be removed whose making was not answered."""
    return f"jobyard-{spec.task_id}"


def _api_version(url: str) -> str:
    """
    What both sides speak. The SDK would ask `/version`, for which Podman takes a second.

    Raises DockerException if no engine answers.
    """
    try:
        answer = _ping(url, QUICK)
    except requests.RequestException as error:
        raise DockerException(f"no engine answers at {url}: {error}") from error
    theirs = answer.headers.get("Api-Version", MINIMUM_API)
    return min(theirs, DEFAULT_DOCKER_API_VERSION, key=_numbers)


def _is_answering(url: str) -> bool:
    """Within a moment: the stack is about to end."""
    try:
        return _ping(url, seconds=2).ok
    except requests.RequestException:
        return False


def _ping(url: str, seconds: float) -> requests.Response:
    with contextlib.closing(APIClient(base_url=url, version=MINIMUM_API)) as api:
        # The client's own time-out holds only for its own methods.
        return api.get(f"{api.base_url}/_ping", timeout=seconds)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _name_and_tag(image: str) -> tuple[str, str | None]:
    """Repository and tag for a pull; a digest stays with its repository, no tag is `latest`."""
    if "@" in image:
        return image, None
    repository, colon, tag = image.rpartition(":")
    if colon and "/" not in tag:
        return repository, tag
    return image, "latest"


def _words(error: Exception) -> str:
    """What the engine said, on one line."""
    explanation = getattr(error, "explanation", None) or str(error)
    return " ".join(str(explanation).split())
