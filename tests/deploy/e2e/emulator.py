"""
Starts AWS on this machine for the deployed test: ministack, and a container engine for its ECS.

Both listen on loopback or on a socket file only. With AUTH=true the emulator checks each call of a
function against the policies of the function's role, as IAM would.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from docker.client import DockerClient

from infra.package import ROOT

VENV = ROOT / ".venv-e2e"
IMAGE = "localhost/jobyard-e2e:latest"
"""
The image is made from this machine's busybox and removed after the tests; no registry is used.
"""
KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
# Some containers and virtual machines do not allow the system's default limits.
PODMAN = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=2048:2048"]\n'


class Missing(Exception):
    """This machine cannot run the deployed test; the message says what to install."""


@contextmanager
def engine(directory: Path) -> Iterator[str]:
    """The address of a container engine: DOCKER_HOST, or a Podman started for the tests."""
    if given := os.environ.get("DOCKER_HOST"):
        yield given
        return
    podman = shutil.which("podman")
    if podman is None:
        raise Missing("no DOCKER_HOST is set and podman is not installed")
    configuration = directory / "containers.conf"
    configuration.write_text(PODMAN)
    address = f"unix://{directory}/podman.sock"
    environment = os.environ | {"CONTAINERS_CONF": str(configuration)}
    with (directory / "podman.log").open("wb") as log:
        service = subprocess.Popen(
            [podman, "system", "service", "--time=0", address],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(lambda: (directory / "podman.sock").exists(), "podman's socket", service)
        yield address
    finally:
        service.terminate()
        service.wait(20)


@contextmanager
def image(docker_host: str) -> Iterator[None]:
    """Put IMAGE into the engine: Debian's statically linked busybox with links for its commands."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise Missing("busybox is not installed (Debian: busybox-static)")
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(os.path.realpath(busybox), "bin/busybox")
        for name in ("sh", "echo", "sleep", "true", "env"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    client = DockerClient(base_url=docker_host)
    repository, tag = IMAGE.rsplit(":", 1)
    client.api.import_image_from_data(layer.getvalue(), repository=repository, tag=tag)
    try:
        yield
    finally:
        for container in client.containers.list(all=True, filters={"ancestor": IMAGE}):
            container.remove(force=True)
        client.images.remove(IMAGE, force=True)
        client.close()


@contextmanager
def running(directory: Path, docker_host: str) -> Iterator[str]:
    """Start the emulator and return its URL; of this shell's environment it gets PATH only."""
    if not (VENV / "bin" / "ministack").exists():
        raise Missing(f"there is no ministack in {VENV}; `make e2e` installs it")
    program = (str(VENV / "bin" / "python"), str(Path(__file__).with_name("emulated.py")))
    port = _free_port()
    environment = {
        "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}",
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",  # else it listens on every interface, whatever BIND_HOST says
        "AUTH": "true",
        "DOCKER_HOST": docker_host,
        "PYTHONDONTWRITEBYTECODE": "1",
        **KEYS,
    }
    with (directory / "ministack.log").open("wb") as log:
        server = subprocess.Popen(
            program, env=environment, cwd=directory, stdout=log, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: _answers(f"{url}/_ministack/health"), "the emulator", server)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _wait(ready: Callable[[], bool], what: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if ready():
            return
        if process.poll() is not None:
            raise Missing(f"{what} ended at once; its log is beside its socket")
        time.sleep(0.1)
    raise Missing(f"{what} did not answer within 30 s")
