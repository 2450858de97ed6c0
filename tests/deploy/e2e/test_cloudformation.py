"""A job as a resource of a stack, deployed as docs/jobs-as-code.md shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import WaiterError

from infra import destroy
from infra.account import Refused
from infra.package import ROOT
from tests.deploy.e2e.conftest import Stage
from tests.deploy.e2e.emulator import IMAGE
from tests.deploy.e2e.usage import finished, wait_for

STACK = "etl-nightly"


class Deployed:
    """The documentation's example as a stack, for this stage and with changes by tests."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.client: Any = boto3.client("cloudformation")
        page = (ROOT / "docs" / "jobs-as-code.md").read_text()
        (self.example,) = re.findall(r"```yaml\n# nightly\.yaml\n(.*?)```", page, re.DOTALL)
        for name in ("jobyard-prod-", "/jobyard/prod/"):
            assert name in self.example
            self.example = self.example.replace(name, name.replace("prod", stage.name))

    def deploy(self, *changes: tuple[str, str]) -> str:
        """
        Create or update the stack with some text of the example changed, and return its status.
        """
        text = self.example
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        asked = {
            "StackName": STACK,
            "TemplateBody": text,
            "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": [{"ParameterKey": "Image", "ParameterValue": IMAGE}],
        }
        is_there = self.found() is not None
        (self.client.update_stack if is_there else self.client.create_stack)(**asked)
        return self.wait("update" if is_there else "create")

    def wait(self, kind: str) -> str:
        waiter = self.client.get_waiter(f"stack_{kind}_complete")
        try:
            waiter.wait(StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        except WaiterError as error:
            answer: Any = error.last_response
            return str(answer["Stacks"][0]["StackStatus"])
        return f"{kind.upper()}_COMPLETE"

    def delete(self) -> None:
        self.client.delete_stack(StackName=STACK)
        self.wait("delete")

    def found(self) -> dict[str, Any] | None:
        stacks = self.client.describe_stacks()["Stacks"]
        live = [one for one in stacks if one["StackStatus"] != "DELETE_COMPLETE"]
        return next((one for one in live if one["StackName"] == STACK), None)

    def outputs(self) -> dict[str, str]:
        stack = self.found()
        assert stack is not None
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    def reasons(self) -> str:
        events = self.client.describe_stack_events(StackName=STACK)["StackEvents"]
        return "\n".join(event.get("ResourceStatusReason", "") for event in events)

    def jobs(self) -> list[dict[str, Any]]:
        """The project's jobs that a stack has made, without those of other tests."""
        jobs: list[dict[str, Any]] = self.stage.ok("GET", "jobs")["jobs"]
        owned = (job for job in jobs if str(job["managed_by"]).startswith("cloudformation/"))
        return sorted(owned, key=lambda job: str(job["name"]))


@pytest.fixture
def stack(stage: Stage) -> Iterator[Deployed]:
    made = Deployed(stage)
    yield made
    if made.found() is not None:
        made.delete()


def test_a_job_of_a_stack_is_created_changed_refused_rolled_back_and_deleted(
    stage: Stage, stack: Deployed
) -> None:
    """CloudFormation does this with the documentation's template and the function's own role."""
    assert stack.deploy() == "CREATE_COMPLETE"
    (job,) = stack.jobs()
    assert stack.outputs() == {"Job": job["id"], "Output": f"/jobyard/{stage.name}/{job['id']}"}
    assert (job["name"], job["cpu"], job["memory_mib"]) == ("nightly", 0.5, 1024)
    assert job["next_run_at"] is not None
    run = stage.ok("POST", f"jobs/{job['id']}/runs")
    path = f"jobs/{job['id']}/runs/{run['id']}"
    assert finished(stage, path)["status"] == "succeeded"
    bucket = job["env"]["BUCKET"]

    def lines() -> list[str]:
        return [line["message"] for line in stage.ok("GET", f"{path}/logs")["logs"]]

    assert wait_for(lines, "the output") == [f"writing to {bucket}"]

    assert stack.deploy(("0 3 * * 1-5", "0 4 * * *")) == "UPDATE_COMPLETE"
    (changed,) = stack.jobs()
    assert (changed["id"], changed["schedule"], changed["version"]) == (job["id"], "0 4 * * *", 2)

    refused = stack.deploy(("0 3 * * 1-5", "0 25 * * *"), ("1024", "1000"))
    assert refused == "UPDATE_ROLLBACK_COMPLETE"
    assert "Schedule: " in stack.reasons() and "MemoryMib: " in stack.reasons()
    (same,) = stack.jobs()
    assert (same["id"], same["schedule"], same["memory_mib"]) == (job["id"], "0 4 * * *", 1024)

    with pytest.raises(Refused, match=STACK):
        destroy.refuse_while_imported(stage.name)
    stack.delete()
    assert stack.found() is None and stack.jobs() == []
    destroy.refuse_while_imported(stage.name)


FAILS = """
  Broken:
    Type: Custom::JobyardJob
    DependsOn: Nightly
    Properties: {ServiceToken: !ImportValue jobyard-e2e-job-resource, Name: x}
Outputs:"""


def test_a_stack_that_fails_elsewhere_takes_its_job_back(stack: Deployed) -> None:
    """
    A created job is deleted; a job that replaced another is deleted too, and the first one stays.
    """
    assert stack.deploy(("\nOutputs:", FAILS)) == "ROLLBACK_COMPLETE"
    assert "Workspace: is required" in stack.reasons()
    assert stack.jobs() == []
    stack.delete()

    assert stack.deploy() == "CREATE_COMPLETE"
    (job,) = stack.jobs()
    replaced = stack.deploy(("Name: nightly", "Name: daily"), ("\nOutputs:", FAILS))
    assert replaced == "UPDATE_ROLLBACK_COMPLETE"
    wait_for(lambda: len(stack.jobs()) == 1, "the second job to go")
    (same,) = stack.jobs()
    assert (same["id"], same["name"]) == (job["id"], "nightly")
    assert stack.deploy(("Name: nightly", "Name: daily")) == "UPDATE_COMPLETE"
    (other,) = stack.jobs()
    assert (other["name"], other["id"]) != ("daily", job["id"])
    assert stack.outputs()["Job"] == other["id"]
