"""The deployed system as its users see it: `make verify`, and what that leaves out."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import boto3
import pytest

from infra.package import ROOT
from infra.verify import runner
from infra.verify.results import Verified
from tests.deploy.e2e.conftest import SKIPPED, Stage
from tests.deploy.e2e.emulator import IMAGE
from tests.deploy.e2e.usage import leftovers, wait_for

TRIED = [step.name for step in runner.STEPS if step.name not in SKIPPED]


@pytest.mark.parametrize("name", TRIED)
def test_a_step_of_make_verify_succeeds(verified: Verified, name: str) -> None:
    """Each step that the emulator can do is one case."""
    (result,) = [one for one in verified.results if one.step == name]
    assert (result.outcome, result.said) == ("ok", result.said)


def test_what_the_emulator_cannot_do_is_skipped_by_name(verified: Verified) -> None:
    """No other step is skipped, so that none is left out by mistake."""
    assert set(SKIPPED) <= {step.name for step in runner.STEPS}
    skipped = {one.step: one.said for one in verified.results if one.outcome == "skipped"}
    assert skipped == SKIPPED


def test_make_verify_leaves_nothing_and_says_what_it_cost(stage: Stage, verified: Verified) -> None:
    """Its jobs and its token are deleted, and it reports success."""
    assert (verified.left, verified.is_right) == ([], True)
    held = boto3.client("dynamodb").scan(TableName=f"jobyard-{stage.name}-tokens")["Items"]
    assert [item["name"]["S"] for item in held] == ["e2e"]
    assert verified.cost.startswith("It cost at most ")


def test_deleting_every_job_leaves_nothing_behind(stage: Stage, verified: Verified) -> None:
    """Rules, tasks, task definitions, log groups and records go with their jobs."""
    for found in stage.ok("GET", "jobs")["jobs"]:
        stage.ok("DELETE", f"jobs/{found['id']}")
    assert stage.ok("GET", "jobs")["jobs"] == []
    give_up = time.monotonic() + 100
    while (left := leftovers(stage)) and time.monotonic() < give_up:
        time.sleep(1)
    assert left == []


def test_make_verify_that_is_interrupted_removes_what_it_made(stage: Stage) -> None:
    """
    After Ctrl-C the command says that it was interrupted, and leaves neither a job nor a token.
    """
    words = ("-m", "infra.verify", stage.name, "--image", IMAGE, "--url", stage.url)
    command = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    owner = f"{runner.WORKSPACE}#{runner.PROJECT}"

    def has_begun() -> bool:
        items = boto3.client("dynamodb").scan(TableName=f"jobyard-{stage.name}-jobs")["Items"]
        return any(item["pk"]["S"] == owner for item in items)

    wait_for(has_begun, "a job of the verification")
    command.send_signal(signal.SIGINT)
    said = command.communicate(timeout=240)[0].decode()
    assert command.returncode == 1, said
    assert "Interrupted: the steps end" in said and "Could not be removed" not in said
    assert leftovers(stage) == []
    held = boto3.client("dynamodb").scan(TableName=f"jobyard-{stage.name}-tokens")["Items"]
    assert [item["name"]["S"] for item in held] == ["e2e"]
