"""A deployment starts again after an earlier deployment or destroy was interrupted or failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra import deploy
from infra.account import Refused
from tests.deploy.double import Refusal, install
from tests.deploy.world import World

NAME = "jobyard-dev"
REASON = "jobyard-dev-jobs is being restored"


class CloudFormation:
    """
    CloudFormation's stacks when resources are imported.

    An import into a new stack begins the stack. If the import fails, the stack stays in a state of
    its own. Deleting the stack leaves the tables, which have the policy Retain. `coming` are the
    states that the stack goes through, one each time that it is described.
    """

    def __init__(self) -> None:
        self.status: str | None = None
        self.coming: list[str | None] = []
        self.held: dict[str, str] = {}
        self.imports_fail = False
        self.change_set_reason: str | None = None
        self.deleted = 0

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if self.coming:
            self.status = self.coming.pop(0)
        if self.status is None:
            raise Refusal("ValidationError", f"Stack with id {StackName} does not exist")
        now = datetime(2026, 1, 1, tzinfo=UTC)
        stack = {"StackName": StackName, "StackStatus": self.status, "CreationTime": now}
        return {"Stacks": [stack]}

    def list_stack_resources(self, StackName: str) -> dict[str, Any]:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": name,
                    "ResourceType": kind,
                    "ResourceStatus": "IMPORT_ROLLBACK_COMPLETE",
                    "LastUpdatedTimestamp": now,
                }
                for name, kind in self.held.items()
            ]
        }

    def describe_stack_events(self, StackName: str) -> dict[str, Any]:
        event = {
            "StackId": "id",
            "EventId": "event",
            "StackName": StackName,
            "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
            "LogicalResourceId": "JobsTable",
            "ResourceStatus": "IMPORT_FAILED",
            "ResourceStatusReason": REASON,
        }
        return {"StackEvents": [event] if self.imports_fail else []}

    def create_change_set(self, **asked: Any) -> dict[str, Any]:
        assert asked["ChangeSetType"] == "IMPORT"
        if self.status is not None:
            raise Refusal("ValidationError", f"{asked['StackName']} is {self.status}")
        self.status = "REVIEW_IN_PROGRESS"
        template = json.loads(asked["TemplateBody"])["Resources"]
        self.held = {
            one["LogicalResourceId"]: one["ResourceType"] for one in asked["ResourcesToImport"]
        }
        assert template.keys() == self.held.keys()
        return {"Id": "change"}

    def describe_change_set(self, ChangeSetName: str) -> dict[str, Any]:
        if self.change_set_reason:
            return {"Status": "FAILED", "StatusReason": self.change_set_reason}
        return {"Status": "CREATE_COMPLETE"}

    def execute_change_set(self, ChangeSetName: str) -> None:
        self.status = "IMPORT_IN_PROGRESS"
        self.coming = ["IMPORT_ROLLBACK_COMPLETE" if self.imports_fail else "IMPORT_COMPLETE"]

    def delete_stack(self, StackName: str) -> None:
        self.deleted += 1
        self.held = {}
        self.coming = [None]


@pytest.fixture
def cloudformation(world: World, monkeypatch: pytest.MonkeyPatch) -> CloudFormation:
    """No stack, the tables that a `make destroy` kept, and no waiting between two looks."""
    world.tables("dev")
    double = CloudFormation()
    install(monkeypatch, "cloudformation", double)
    monkeypatch.setitem(deploy.PACE, "Delay", 0)
    return double


@pytest.fixture
def packaged(tmp_path: Path) -> Path:
    """A packaged template with the stage's tables and a cluster."""
    tables = {
        f"{name.title()}Table": {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "Retain",
            "Properties": {"TableName": {"Fn::Sub": f"jobyard-${{Stage}}-{name}"}},
        }
        for name in deploy.TABLES
    }
    resources = {**tables, "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {}}}
    file = tmp_path / "packaged.json"
    file.write_text(json.dumps({"Parameters": {"Stage": {}}, "Resources": resources}))
    return file


def begin(packaged: Path) -> None:
    """Do what a deployment does before it gives CloudFormation the whole template."""
    deploy.remove_unborn(NAME)
    deploy.adopt_kept_tables("dev", packaged)


@pytest.mark.parametrize("status", ["IMPORT_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_FAILED"])
def test_tables_are_imported_again_after_a_failed_import(
    cloudformation: CloudFormation, packaged: Path, status: str
) -> None:
    """The stack of the failed import is deleted, and the tables are imported again."""
    cloudformation.imports_fail = True
    with pytest.raises(Refused, match=REASON):
        begin(packaged)
    cloudformation.status, cloudformation.imports_fail = status, False
    begin(packaged)
    assert cloudformation.status == "IMPORT_COMPLETE"
    assert set(cloudformation.held.values()) == {"AWS::DynamoDB::Table"}
    assert len(deploy.kept_tables("dev")) == len(deploy.TABLES)


def test_a_failed_import_does_not_delete_a_live_stack(
    cloudformation: CloudFormation, packaged: Path
) -> None:
    """An operator may have tried an import by hand: the stack stays and can be updated."""
    cloudformation.status = "IMPORT_ROLLBACK_COMPLETE"
    cloudformation.held = {"JobsTable": "AWS::DynamoDB::Table", "Cluster": "AWS::ECS::Cluster"}
    begin(packaged)
    assert (cloudformation.status, cloudformation.deleted) == ("IMPORT_ROLLBACK_COMPLETE", 0)


def test_deploy_waits_for_an_import_in_progress(
    cloudformation: CloudFormation, packaged: Path
) -> None:
    """The import belongs to a deployment that died."""
    cloudformation.coming = ["IMPORT_IN_PROGRESS", "IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"]
    begin(packaged)
    assert (cloudformation.status, cloudformation.deleted) == ("IMPORT_COMPLETE", 0)


def test_tables_are_imported_once_a_deletion_in_progress_has_ended(
    cloudformation: CloudFormation, packaged: Path
) -> None:
    """The deletion belongs to a destroy that was interrupted while it waited."""
    cloudformation.coming = ["DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", None]
    begin(packaged)
    assert cloudformation.status == "IMPORT_COMPLETE"


def test_a_change_set_that_cloudformation_refuses_is_reported_with_its_reason(
    cloudformation: CloudFormation, packaged: Path
) -> None:
    """The stack that the change set began does not stop the next attempt."""
    cloudformation.change_set_reason = "a table belongs to another stack"
    with pytest.raises(Refused, match="belongs to another stack"):
        begin(packaged)
    cloudformation.change_set_reason = None
    begin(packaged)
    assert cloudformation.status == "IMPORT_COMPLETE"


def test_a_stage_without_tables_is_created_without_an_import(
    cloudformation: CloudFormation, packaged: Path
) -> None:
    """The first deployment of a stage creates its tables."""
    dynamodb = boto3.client("dynamodb")
    for table in deploy.kept_tables("dev"):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=table)
    begin(packaged)
    assert cloudformation.status is None
