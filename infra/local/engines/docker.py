"""Tasks as containers, through the Docker Engine API of Docker or Podman."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from docker.api.client import APIClient
from docker.client import DockerClient
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.errors import DockerException, ImageNotFound
from docker.types.daemon import CancellableStream

from infra.local.engines import OUT_OF_MEMORY, OUTPUT, Exit, Handlers, Running, StartError, Usage
from infra.local.engines.oom import OomCounter
from infra.local.owner import Owner
from infra.local.task_spec import Spec

LABEL = "jobyard.stack"
"""Label of every container: the stack that owns it, so that a clearing finds it."""
TASK_LABEL = "jobyard.task"
TIMEOUT = 60
"""Seconds for a call of the engine; waiting for output or for the end has no limit."""

FAILED = (DockerException, requests.RequestException)
"""The engine refused, or did not answer."""

MINIMUM_API = "1.41"
"""Docker 20.10 and Podman 4 speak it; one-shot statistics came with it."""

log = logging.getLogger(__name__)


class NoInit(Exception):
    """The engine's machine has no docker-init or catatonit."""


class DockerEngine:
    """Runs each task as a container with the task's CPU and memory as limits."""

    name = "docker"

    def __init__(self, url: str) -> None:
        """Raises DockerException if no engine answers at `url`."""
        self.url = url
        self.client = DockerClient(
            base_url=url, version=_api_version(url), timeout=TIMEOUT, max_pool_size=256
        )
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
        return Container(container, stream, directory / OUTPUT, handlers)

    def _launch(self, spec: Spec, *, init: bool) -> tuple[Any, CancellableStream]:
        container = None
        try:
            container = self.client.containers.create(
                spec.image,
                command=spec.command,
                entrypoint=spec.entrypoint,
                environment=spec.env,
                init=init,
                labels={LABEL: str(Owner.this()), TASK_LABEL: spec.task_id},
                mem_limit=f"{spec.memory_mib}m",
                # Fargate has no swap
                memswap_limit=f"{spec.memory_mib}m",
                nano_cpus=self._nano_cpus(spec),
            )
            # Attached before the start, so that not even the first byte is missed.
            stream = container.attach(stream=True, stdout=True, stderr=True)
            container.start()
        except FAILED as error:
            if container is not None:
                _remove(container)
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
        return [item.measure() for item in running if isinstance(item, Container)]

    def clear_leftovers(self) -> None:
        """Remove every container that carries the label of a stack that is gone."""
        for container in self.client.containers.list(all=True, filters={"label": LABEL}):
            try:
                is_gone = Owner.parse(container.labels[LABEL]).is_gone
            except ValueError:
                # A label that no stack wrote: not ours.
                continue
            if is_gone:
                _remove(container)

    def close(self) -> None:
        self.client.close()


class Container:
    """A started container; it is removed once it has exited and its output is read."""

    def __init__(
        self,
        container: Any,
        stream: CancellableStream,
        output: Path,
        handlers: Handlers,
    ) -> None:
        self._container = container
        self._handlers = handlers
        self._output = output
        reader = threading.Thread(
            target=self._read, args=(stream,), name=f"output-{container.short_id}", daemon=True
        )
        reader.start()
        threading.Thread(
            target=self._wait, args=(reader,), name=f"wait-{container.short_id}", daemon=True
        ).start()

    def signal(self, number: int) -> None:
        # It has exited meanwhile, or the engine is gone: the waiting thread hears of both.
        with contextlib.suppress(*FAILED):
            self._container.kill(signal.Signals(number).name)

    def measure(self) -> Usage | None:
        try:
            stats = self._container.client.api.stats(
                self._container.id, stream=False, one_shot=True
            )
            cpu = stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
            memory = stats["memory_stats"]
            cache = memory.get("stats", {})
            # Page cache is not held, as `docker stats` and Container Insights count too.
            cached = cache.get("inactive_file", cache.get("total_inactive_file", 0))
            return Usage(cpu, memory["usage"] - cached)
        except (*FAILED, KeyError):
            # KeyError: of a container that has just ended, some figures are left out.
            return None

    def _read(self, stream: CancellableStream) -> None:
        """Everything to the file as it comes, so that the container never waits for a reader."""
        # The stream's own close leaves the descriptor open; its response's does not.
        with (
            contextlib.closing(stream._response),
            self._output.open("ab", buffering=0) as file,
        ):
            for chunk in stream:
                file.write(chunk)

    def _wait(self, reader: threading.Thread) -> None:
        """
        1. See the first process exit, where it can be seen, to read the count of kills by the
           kernel before the engine removes the control group (Podman on cgroup v1 reports none).
        2. Wait for the engine to know it too, and for the last byte of output.
        3. Remove it.
        """
        code: int | None = None
        at: float | None = None
        reason: str | None = "The container engine does not answer any more"
        try:
            at, kills = self._see_exit()
            code = self._container.wait(timeout=None)["StatusCode"]
            reader.join()
            self._container.reload()
            is_out_of_memory = self._container.attrs["State"].get("OOMKilled") or kills
            reason = OUT_OF_MEMORY if is_out_of_memory else None
            _remove(self._container)
        except FAILED:
            log.exception("container %s is lost", self._container.short_id)
        finally:
            self._handlers.exited(Exit(code, at or time.time(), reason))

    def _see_exit(self) -> tuple[float | None, int]:
        """When it ended and how many kills for memory there were, where both can be seen."""
        self._container.reload()
        pid = self._container.attrs["State"].get("Pid")
        if not pid or not hasattr(os, "pidfd_open"):
            return None, 0
        with OomCounter.open(pid, self._container.id) as counter:
            if counter is None:
                return None, 0
            _await_exit(pid)
            return time.time(), counter.read()


def _await_exit(pid: int) -> None:
    """Linux 5.3: a process descriptor becomes readable when its process has ended."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
        os.close(descriptor)


def _remove(container: Any) -> None:
    # Gone already, or being removed; what an engine without an answer keeps, a clearing finds.
    with contextlib.suppress(*FAILED):
        container.remove(force=True, v=True)


def _api_version(url: str) -> str:
    """
    What both sides speak. The SDK would ask `/version`, for which Podman takes a second.

    Raises DockerException if no engine answers.
    """
    with contextlib.closing(APIClient(base_url=url, version=MINIMUM_API, timeout=TIMEOUT)) as api:
        try:
            answer = api.get(f"{api.base_url}/_ping")
        except requests.RequestException as error:
            raise DockerException(f"no engine answers at {url}: {error}") from error
    theirs = answer.headers.get("Api-Version", MINIMUM_API)
    return min(theirs, DEFAULT_DOCKER_API_VERSION, key=_numbers)


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
