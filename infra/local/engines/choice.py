"""Which engine: ENGINE=auto, docker or process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.local.engines import Engine
from infra.local.engines.process import ProcessEngine

HOW_TO_START = (
    "          For containers start Docker Desktop or the Docker service, or for\n"
    "          Podman run `podman system service --time=0 &`; then `make up` again."
)


class NoEngine(Exception):
    """ENGINE asks for what is not there; the text is for the person who asked."""


def choose(wanted: str, environment: Mapping[str, str]) -> Engine:
    """
    The engine for ENGINE=`wanted`; `environment` is what process tasks see.

    Raises NoEngine for an unknown word, and for `docker` where no engine answers.
    """
    if wanted not in ("auto", "docker", "process"):
        raise NoEngine(f"ENGINE={wanted}: it is auto, docker or process.")
    if wanted == "process":
        return ProcessEngine(environment)
    # The docker SDK takes a twentieth of a second, and a stack of processes does not need it.
    from docker.errors import DockerException

    from infra.local.engines.docker import DockerEngine

    for url in _urls():
        try:
            return DockerEngine(url)
        except DockerException:
            # Nobody listens there; the next one may.
            continue
    if wanted == "docker":
        raise NoEngine(f"ENGINE=docker, but no engine answers at any of: {', '.join(_urls())}.")
    return ProcessEngine(environment)


def _urls() -> Iterator[str]:
    """DOCKER_HOST alone if it is set; else the docker context, then the usual sockets."""
    if host := os.environ.get("DOCKER_HOST"):
        yield host
        return
    from docker.context.api import ContextAPI
    from docker.errors import DockerException

    # A context that is broken is as good as none.
    with contextlib.suppress(DockerException):
        if (context := ContextAPI.get_current_context()) is not None and context.Host:
            yield context.Host
    home, runtime = Path.home(), os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    sockets = [
        Path("/var/run/docker.sock"),
        home / ".docker/run/docker.sock",
        home / ".docker/desktop/docker.sock",
        home / ".orbstack/run/docker.sock",
        home / ".colima/default/docker.sock",
        home / ".rd/docker.sock",
        Path(runtime) / "docker.sock",
        Path(runtime) / "podman/podman.sock",
        Path("/run/podman/podman.sock"),
        home / ".local/share/containers/podman/machine/podman.sock",
    ]
    for socket in sockets:
        if socket.exists():
            yield f"unix://{socket}"
