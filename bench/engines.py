"""The engines that run tasks on this machine, and the same command started without Jobyard."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass

from docker.errors import DockerException

from infra.local.engines.choice import NoEngine, choose
from infra.local.engines.docker import DockerEngine

IMAGE = "localhost/jobyard-bench:latest"
PUBLIC_IMAGE = "public.ecr.aws/docker/library/busybox:1.36"


@dataclass(frozen=True, slots=True)
class Bench:
    """An engine that is measured."""

    name: str
    image: str
    bare: str
    """The command with which it is compared, in words."""
    start: Callable[[], None]
    """Run `true` without Jobyard, and wait for its end."""


class Missing(Exception):
    """The engine cannot be measured here; the message says why."""


def process() -> Bench:
    """Tasks as processes, compared with subprocess."""

    def start() -> None:
        subprocess.run(["true"], check=True)

    return Bench("process", PUBLIC_IMAGE, "`subprocess.run`", start)


def container() -> Bench:
    """Tasks as containers, compared with the engine's command line; Missing without an engine."""
    try:
        engine = choose("docker", {})
        assert isinstance(engine, DockerEngine)
        image = _image(engine)
        engine.close()
    except (NoEngine, DockerException) as error:
        raise Missing(str(error)) from error
    program = shutil.which("docker") or shutil.which("podman")
    if program is None:
        raise Missing("an engine answers, but there is neither docker nor podman to hold it to")

    def start() -> None:
        subprocess.run([program, "run", "--rm", image, "true"], check=True)

    return Bench("docker", image, f"`{program.rpartition('/')[2]} run --rm`", start)


def _image(engine: DockerEngine) -> str:
    """An image with `true`, made of the host's static busybox if there is one, else pulled."""
    busybox = shutil.which("busybox")
    if busybox is None:
        engine.client.images.pull(*PUBLIC_IMAGE.split(":"))
        return PUBLIC_IMAGE
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(busybox, "bin/true")
    repository, tag = IMAGE.split(":")
    engine.client.api.import_image_from_data(archive.getvalue(), repository=repository, tag=tag)
    return IMAGE
