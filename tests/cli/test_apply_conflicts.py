"""Apply while somebody else changes the same jobs, and while answers are lost."""

from __future__ import annotations

import os
import pty

import pytest

from jobyard.errors import Refused
from tests.cli.local_stack import Shell
from tests.cli.manifest_project import HELLO, write
from tests.cli.relay import Relay, lost


def test_a_change_between_plan_and_apply_is_shown_as_a_conflict(shell: Shell) -> None:
    """The operator confirms the plan only after another one has changed the job."""
    write(shell, [HELLO])
    shell("apply", "--yes")
    write(shell, [{**HELLO, "image": "mine"}])
    master, slave = pty.openpty()
    asked = shell.start("apply", stdin=slave)
    assert asked.stderr is not None
    assert "Do 1 change?" in read_some(asked.stderr.fileno())
    shell("update", "hello", "--image", "theirs")
    os.write(master, b"y\n")
    out, err = asked.communicate(timeout=60)
    os.close(slave)
    os.close(master)
    assert asked.returncode == 1, out
    assert "somebody changed it since the plan, so nothing was overwritten" in err
    assert "0 done, 1 not." in err
    assert shell.json("get", "hello")["image"] == "theirs"


def read_some(descriptor: int) -> str:
    return os.read(descriptor, 4096).decode()


def test_a_change_whose_answer_was_lost_is_not_a_conflict_when_repeated(
    relayed: Shell, relay: Relay
) -> None:
    """The second try finds the change that the first one made."""
    relayed.create("one", "true")
    with relayed.client() as client:
        job = client.find_job("one")
        relay.faults.append(lost)
        changed = client.update_job(job["id"], {"max_retries": 3}, if_version=job["version"])
        assert (changed["max_retries"], changed["version"]) == (3, job["version"] + 1)
        with pytest.raises(Refused) as caught:
            client.update_job(job["id"], {"max_retries": 4}, if_version=job["version"])
        assert (caught.value.status, caught.value.code) == (412, "version_conflict")
