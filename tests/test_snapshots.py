"""
A function could be restored from a snapshot that was taken after its import (Lambda SnapStart).

Whatever the import makes, all functions restored from the snapshot share: connections that are
closed by then, credentials that have expired, and random numbers that are the same in each.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MADE_AT_IMPORT = """
import gc, os, random, secrets, uuid

drawn = []
def note(name, draw):
    def drawing(*args, **more):
        drawn.append(name)
        return draw(*args, **more)
    return drawing
os.urandom = note("os.urandom", os.urandom)
uuid.uuid4 = note("uuid.uuid4", uuid.uuid4)
secrets.token_bytes = note("secrets.token_bytes", secrets.token_bytes)

before = random.getstate()
{statement}
assert random.getstate() == before, "a random number was drawn"
assert not drawn, drawn

import http.client, socket, ssl
import botocore.client, botocore.credentials, botocore.session

of_a_process = (
    socket.socket, ssl.SSLContext, http.client.HTTPConnection,
    botocore.client.BaseClient, botocore.credentials.Credentials, botocore.session.Session,
)
generators = [one for one in gc.get_objects() if type(one) is random.Random]
own = [type(one).__name__ for one in gc.get_objects() if isinstance(one, of_a_process)]
own += [type(one).__name__ for one in generators if one is not random._inst]
print(sorted(set(own)))
"""


def made_at_import(statement: str) -> str:
    """What a fresh interpreter holds after the statement; its standard error if it refuses."""
    done = subprocess.run(
        [sys.executable, "-c", MADE_AT_IMPORT.format(statement=statement)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or done.stderr


def test_importing_the_app_makes_no_connection_no_credentials_and_no_randomness() -> None:
    """All of these are made by the first request, so a restored function has its own."""
    assert made_at_import("import app") == "[]"


def test_the_search_finds_each_of_them() -> None:
    """It finds a client, a socket and a generator; random numbers are noticed when drawn."""
    client = "import botocore.session as s; c = s.Session().create_client('ecs', 'eu-west-1')"
    assert "ECS" in made_at_import(client)
    assert made_at_import("import socket; s = socket.socket()") == "['socket']"
    assert made_at_import("import random; r = random.Random()") == "['Random']"
    assert "a random number was drawn" in made_at_import("import random; random.random()")
    assert "os.urandom" in made_at_import("import os; os.urandom(1)")


def test_the_first_client_seeds_random_numbers_anew() -> None:
    """
    Functions restored from one snapshot would otherwise wait the same times before they repeat a
    call, and meet again.
    """
    code = (
        "import random; random.seed(1)\n"
        "from chalicelib.clock import Clock\n"
        "from chalicelib.cloud.aws import Clients\n"
        "Clients('eu-west-1', Clock()).get('ecs')\n"
        "print(random.random())"
    )
    drawn = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(drawn) == 2
